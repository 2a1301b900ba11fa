import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { rewritten } from '../../../src/capture/rewrite.js';
import { COMMAND_TABLE } from '../../../src/redis-commands/command-table.js';

const NOW = 1_790_000_000_000;

/** What is sent for a command, words apart by one space; `as it is` when that is the command itself. */
function sentFor(line: string): string {
  const args = line.split(' ').map((word) => Buffer.from(word));
  const instead = rewritten(args[0]!.toString().toUpperCase(), args, NOW);
  return instead === undefined ? 'as it is' : instead.map(String).join(' ');
}

describe('a relative expiry becomes absolute', () => {
  test.each([
    ['SET k v EX 10', `SET k v PXAT ${NOW + 10_000}`],
    ['set k v px 1500', `set k v PXAT ${NOW + 1500}`],
    ['SETEX k 10 v', `SET k v PXAT ${NOW + 10_000}`],
    ['PSETEX k 10 v', `SET k v PXAT ${NOW + 10}`],
    ['EXPIRE k 10', `PEXPIREAT k ${NOW + 10_000}`],
    ['PEXPIRE k 10 GT', `PEXPIREAT k ${NOW + 10}`],
    ['GETEX k EX 10', `GETEX k PXAT ${NOW + 10_000}`],
    ['RESTORE k 10 dump REPLACE', `RESTORE k ${NOW + 10} dump REPLACE ABSTTL`],
    ['RESTORE k 9007199254740993 dump', `RESTORE k ${9007199254740993n + BigInt(NOW)} dump ABSTTL`],
  ])('%s → %s', (line, expected) => {
    expect(sentFor(line)).toBe(expected);
  });
});

describe('a condition that held is dropped', () => {
  test.each([
    ['SET k v NX', 'SET k v'],
    ['SET k v XX PXAT 7 GET', 'SET k v PXAT 7'],
    ['SET k v IFEQ old KEEPTTL', 'SET k v KEEPTTL'],
    // The value compared with may look like an option.
    ['SET k v IFEQ PX KEEPTTL', 'SET k v KEEPTTL'],
    ['SET k v ifeq EX GET', 'SET k v'],
    ['SET k v IFEQ NX EX 1', `SET k v PXAT ${NOW + 1000}`],
    ['SETNX k v', 'SET k v'],
    ['MSETNX a 1 b 2', 'MSET a 1 b 2'],
    ['HSETNX k f v', 'HSET k f v'],
    ['RENAMENX a b', 'RENAME a b'],
    ['DELIFEQ k v', 'DEL k'],
  ])('%s → %s', (line, expected) => {
    expect(sentFor(line)).toBe(expected);
  });
});

describe('the limit of a trim that was exact is dropped', () => {
  test.each([
    ['XADD s MAXLEN = 4 LIMIT 100 7-1 f v', 'XADD s MAXLEN = 4 7-1 f v'],
    ['XADD s NOMKSTREAM MAXLEN = 4 LIMIT 100 7-1 f v', 'XADD s NOMKSTREAM MAXLEN = 4 7-1 f v'],
    ['XADD s MINID = 1-0 LIMIT 1 7-0 f v', 'XADD s MINID = 1-0 7-0 f v'],
    ['xadd s LIMIT 10 MINID = 7-0 8-0 LIMIT v', 'xadd s MINID = 7-0 8-0 LIMIT v'],
    [
      'XADD s KEEPREF IDMP producer LIMIT MAXLEN = 4 LIMIT 10 7-1 f v',
      'XADD s KEEPREF IDMP producer LIMIT MAXLEN = 4 7-1 f v',
    ],
    ['XTRIM s MINID = 5-0 LIMIT 10', 'XTRIM s MINID = 5-0'],
    ['XTRIM s MAXLEN = 5 LIMIT 10', 'XTRIM s MAXLEN = 5'],
  ])('%s → %s', (line, expected) => {
    expect(sentFor(line)).toBe(expected);
  });
});

describe('nothing is changed in', () => {
  test.each([
    'SET k v',
    'SET EX PX',
    'SET k EX',
    'SET k v PXAT 7',
    'SET k v KEEPTTL',
    'GETEX k PERSIST',
    'RESTORE k 0 dump REPLACE',
    'RESTORE k 10 dump ABSTTL',
    'XADD s MAXLEN = 4 7-1 LIMIT 5',
    'XADD s 7-1 LIMIT 5',
    'XADD s MAXLEN ~ 4 LIMIT 5 7-1 f v',
    'XTRIM s MINID = 5-0',
    'PEXPIREAT k 7',
    'APPEND k EX',
  ])('%s', (line) => {
    expect(sentFor(line)).toBe('as it is');
  });
});

test('no arrangement of options brings it down', () => {
  const word = fc.constantFrom(
    'k',
    'EX',
    'PX',
    'NX',
    'IFEQ',
    'MAXLEN',
    'MINID',
    '=',
    '~',
    'LIMIT',
    '5',
    '5-0',
    'ABSTTL',
    'PXAT',
    'GET',
  );
  fc.assert(
    fc.property(
      fc.constantFrom(...COMMAND_TABLE),
      fc.array(word, { minLength: 3, maxLength: 9 }),
      ({ name }, words) => {
        const args = [name, ...words].map((text) => Buffer.from(text));
        expect(rewritten(name, args, NOW) ?? []).not.toContain(undefined);
      },
    ),
    { numRuns: 5000 },
  );
});
