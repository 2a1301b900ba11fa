import { describe, expect, test } from 'vitest';
import * as fc from 'fast-check';
import {
  COMMAND_TABLE,
  commandSpec,
  namedCells,
  readKeys,
  writtenKeys,
} from '../../../src/redis-commands/command-table.js';

/** Keys and cells of a command that is typed with one space between the words. */
function found(line: string): { written: string[]; read: string[]; cells: string[] } {
  const words = line.split(' ');
  const args = words.map((word) => Buffer.from(word));
  const spec = commandSpec(words[0] ?? '', words[1]);
  if (spec === undefined) throw new Error(`no row for ${line}`);
  const at = (indexes: number[]): string[] => indexes.map((index) => words[index] ?? '');
  return {
    written: at(writtenKeys(spec, args)),
    read: at(readKeys(spec, args)),
    cells: at(namedCells(spec, args)),
  };
}

describe('written and read keys', () => {
  test.each([
    ['SET k v', ['k'], []],
    ['DEL a b c', ['a', 'b', 'c'], []],
    ['MSET a 1 b 2', ['a', 'b'], []],
    ['MSETEX 2 a 1 b 2 EX 10', ['a', 'b'], []],
    ['BLPOP a b 0', ['a', 'b'], []],
    ['LMPOP 2 a b LEFT COUNT 3', ['a', 'b'], []],
    ['BZMPOP 0 1 a MIN', ['a'], []],
    ['RENAME a b', ['a', 'b'], []],
    ['COPY a b DB 3', ['b'], ['a']],
    ['BITOP AND d a b', ['d'], ['a', 'b']],
    ['PFMERGE d', ['d'], []],
    ['SUNIONSTORE d a b', ['d'], ['a', 'b']],
    ['ZUNIONSTORE d 2 a b WEIGHTS 1 2', ['d'], ['a', 'b']],
    ['ZRANGESTORE d s 0 1', ['d'], ['s']],
    ['XGROUP CREATE k g 0', ['k'], []],
    ['EVAL script 2 a b c', ['a', 'b'], []],
    ['PUBLISH channel message', [], []],
    ['FLUSHALL', [], []],
  ])('%s', (line, written, read) => expect(found(line)).toMatchObject({ written, read }));

  test.each([
    ['SORT k', [], ['k']],
    ['SORT k STORE d', ['d'], ['k']],
    ['SORT k BY store LIMIT 0 store GET store ALPHA store d', ['d'], ['k']],
    ['SORT k STORE one STORE other', ['other'], ['k']],
    ['SORT store STORE', [], ['store']],
    ['GEORADIUS k 1 2 3 km', [], ['k']],
    ['GEORADIUS k 1 2 3 km STORE one STOREDIST other', ['other'], ['k']],
    ['GEORADIUSBYMEMBER k store 3 km storedist d', ['d'], ['k']],
    ['XREADGROUP GROUP g c STREAMS a b > >', ['a', 'b'], []],
    ['XREADGROUP GROUP streams streams NOACK COUNT 2 CLAIM 5 STREAMS streams 0', ['streams'], []],
  ])('behind options: %s', (line, written, read) => expect(found(line)).toMatchObject({ written, read }));
});

describe('fields, members, bits and IDs', () => {
  test.each([
    ['HSET k f 1 g 2', ['f', 'g']],
    ['HDEL k f g', ['f', 'g']],
    ['HINCRBY k f 5', ['f']],
    ['HPEXPIREAT k 1000 NX FIELDS 2 f g', ['f', 'g']],
    ['HSETEX k EX 10 FIELDS 2 f 1 g 2', ['f', 'g']],
    ['SADD k a b', ['a', 'b']],
    ['SETBIT k 7 1', ['7']],
    ['ZADD k 1 a 2 b', ['a', 'b']],
    ['ZADD k XX CH 1 ch 2 b', ['ch', 'b']],
    ['ZINCRBY k 2 a', ['a']],
    ['GEOADD k CH 1 2 a 3 4 b', ['a', 'b']],
    ['VADD k REDUCE 2 VALUES 3 1 0 1 e CAS', ['e']],
    ['VADD k FP32 blob e SETATTR {}', ['e']],
    ['XADD k 5-1 f v', ['5-1']],
    ['XADD k NOMKSTREAM MAXLEN ~ 10 LIMIT 5 5-1 f v', ['5-1']],
    ['XADD k MINID 3 IDMP p i KEEPREF 5-1 limit v', ['5-1']],
    ['XADD k IDMPAUTO p LIMIT 7 MAXLEN = 3 5-1 MAXLEN 4', ['5-1']],
    ['XDEL k 1-1 2-1', ['1-1', '2-1']],
    ['LPUSH k a', []],
  ])('%s', (line, cells) => expect(found(line).cells).toEqual(cells));
});

test('whatever the arguments say, an index is that of an argument behind the name, and a key is not both written and read', () => {
  const words = fc.array(
    fc.oneof(
      fc.constantFrom(
        'STORE',
        'STREAMS',
        'FIELDS',
        'VALUES',
        'MAXLEN',
        'REDUCE',
        '~',
        '2',
        '-1',
        '1e300',
        'x',
      ),
      fc.string(),
    ),
    {
      maxLength: 12,
    },
  );
  fc.assert(
    fc.property(fc.constantFrom(...COMMAND_TABLE), words, (spec, rest) => {
      const args = [...spec.name.split(' '), ...rest].map((word) => Buffer.from(word));
      const written = writtenKeys(spec, args);
      const read = readKeys(spec, args);
      for (const index of [...written, ...read, ...namedCells(spec, args)]) expect(args[index]).toBeDefined();
      expect([...written, ...read]).not.toContain(0);
      expect(read.filter((index) => written.includes(index))).toEqual([]);
    }),
    { numRuns: 2_000 },
  );
});
