import { describe, expect, test } from 'vitest';
import { forEachKey, keysOf, payloadCommands } from '../../../src/protocol/payload.js';
import type { Batch } from '../../../src/protocol/batch.js';
import { row } from '../../../src/redis-commands/table/command-spec.js';
import { CommandNames } from '../../../src/redis-commands/command-names.js';
import { KeyHash } from '../../../src/protocol/key-hash.js';
import { resp } from '../redis-commands/chunks.js';

function batchOf(payload: Buffer): Batch {
  const counts = {
    epoch: 1,
    first: 1,
    changes: 1,
    commands: 1,
    timestamp: 1,
    seenEpoch: 1,
    seen: 0,
    special: 0,
  };
  return { pair: 'p', origin: 'o', ...counts, groups: [], payload };
}

/** `database key` of every key, as hashes. */
function hashesOf(keys: readonly string[]): string[] {
  const hash = new KeyHash();
  return keys.map((text) => {
    const [database, key] = text.split(' ');
    const bytes = Buffer.from(key!);
    hash.of(Number(database), bytes, 0, bytes.length);
    return `${hash.low} ${hash.high}`;
  });
}

describe('the commands of a payload', () => {
  test('come with their place and database, SELECT too', () => {
    const payload = resp('SELECT 2', 'SET a 1', 'xgroup create s g 0', 'select 0', 'INCR b');
    expect(
      [...payloadCommands(payload)].map(({ index, database, name }) => `${index} ${database} ${name}`),
    ).toEqual(['0 2 SELECT', '1 2 SET', '2 2 XGROUP CREATE', '3 0 SELECT', '4 0 INCR']);
  });

  test('have together the bytes of the payload', () => {
    const payload = resp('SELECT 2', 'SET a 1', 'MODULE.X y');
    expect(Buffer.concat([...payloadCommands(payload)].map(({ bytes }) => bytes))).toEqual(payload);
  });
});

describe('the keys of a command', () => {
  test.each<[string, string[], string[]]>([
    ['SET a 1', ['4 a'], []],
    ['DEL a b', ['4 a', '4 b'], []],
    ['COPY a b', ['4 b'], ['4 a']],
    ['MOVE a 7', ['4 a', '7 a'], []],
    ['MOVE a 4', ['4 a'], []],
    ['SUNIONSTORE d a b', ['4 d'], ['4 a', '4 b']],
    ['FLUSHALL', [], []],
    ['MODULE.X a', [], []],
  ])('%s: writes %j, reads %j', (line, written, read) => {
    const [, command] = [...payloadCommands(resp('SELECT 4', line))];
    const told = (which: 'written' | 'all'): string[] =>
      keysOf(command!, which).map(({ database, key }) => `${database} ${key.toString()}`);
    expect(told('written')).toEqual(written);
    expect(told('all').toSorted()).toEqual([...written, ...read].toSorted());
  });
});

test('each key of a batch is shown by its hash in its database', () => {
  const batch = batchOf(
    resp('SELECT 4', 'SET a 1', 'MSET b 1 c 2', 'SELECT 0', 'xgroup create s g 0', 'MODULE.X a', 'incr a'),
  );
  const hashes: string[] = [];
  forEachKey({ batch, names: new CommandNames(), each: ({ low, high }) => hashes.push(`${low} ${high}`) });
  expect(hashes).toEqual(hashesOf(['4 a', '4 b', '4 c', '0 s', '0 a']));
});

test('a command that only this server knows has the keys that the server says', () => {
  const extra = new Map([['MODULE.X', row('MODULE.X', 'any', 'unknown')]]);
  const batch = batchOf(resp('SELECT 4', 'MODULE.X a', 'module.x b c'));
  const hashes: string[] = [];
  forEachKey({
    batch,
    names: new CommandNames(extra),
    extra,
    each: ({ low, high }) => hashes.push(`${low} ${high}`),
  });
  expect(hashes).toEqual(hashesOf(['4 a', '4 b']));
  const keys = [...payloadCommands(batch.payload, { extra })].flatMap((command) => keysOf(command, 'all'));
  expect(keys.map(({ database, key }) => `${database} ${key.toString()}`)).toEqual(['4 a', '4 b']);
});
