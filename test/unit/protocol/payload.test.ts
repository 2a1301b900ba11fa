import { describe, expect, test } from 'vitest';
import { keysOf, payloadCommands } from '../../../src/protocol/payload.js';
import type { Batch } from '../../../src/protocol/batch.js';
import { row } from '../../../src/redis-commands/table/command-spec.js';
import { BatchCommands } from '../../../src/protocol/batch-commands.js';
import type { BatchIndex } from '../../../src/protocol/batch-index.js';
import { KeyHash } from '../../../src/protocol/key-hash.js';
import { indexOf } from '../../support/batch-index.js';
import { resp } from '../redis-commands/chunks.js';

function batchOf(payload: Buffer, commands: number): Batch {
  const counts = {
    epoch: 1,
    first: 1,
    changes: 1,
    commands,
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

/** Of every key of a batch, as the walk over it notes them. */
function notedHashes(index: BatchIndex): string[] {
  const hashes: string[] = [];
  index.forEachKey(({ low, high }) => hashes.push(`${low} ${high}`));
  return hashes;
}

test('each key of a batch is shown by its hash in its database', () => {
  const batch = batchOf(
    resp('SELECT 4', 'SET a 1', 'MSET b 1 c 2', 'SELECT 0', 'xgroup create s g 0', 'MODULE.X a', 'incr a'),
    7,
  );
  expect(notedHashes(indexOf(batch))).toEqual(hashesOf(['4 a', '4 b', '4 c', '0 s', '0 a']));
});

test('a command that only this server knows has the keys that the server says', () => {
  const extra = new Map([['MODULE.X', row('MODULE.X', 'any', 'unknown')]]);
  const batch = batchOf(resp('SELECT 4', 'MODULE.X a', 'module.x b c'), 3);
  expect(notedHashes(indexOf(batch, extra))).toEqual(hashesOf(['4 a', '4 b']));
  const keys = [...payloadCommands(batch.payload, { extra })].flatMap((command) => keysOf(command, 'all'));
  expect(keys.map(({ database, key }) => `${database} ${key.toString()}`)).toEqual(['4 a', '4 b']);
});

describe('the commands of a batch that was walked over', () => {
  const lines = [
    'SELECT 4',
    'SET a 1',
    'DEL b c',
    'XGROUP CREATE s g 0',
    'SELECT 0',
    'INCR a',
    'SET a 1 PXAT 9',
    'SET a 1 KEEPTTL',
    'PEXPIREAT a 7',
    'SMOVE a b m',
    'TANDEM.EXPIRED 3 k 5',
    'MSET a 1 b 2',
  ];
  const batch = batchOf(resp(...lines), lines.length);
  const index = indexOf(batch);

  test('are those that its bytes hold, in whatever order they are asked for', () => {
    const commands = new BatchCommands(batch, index, undefined);
    const expected = [...payloadCommands(batch.payload)];
    const backwards = expected.map((_, at) => commands.at(expected.length - 1 - at));
    expect(backwards.toReversed()).toEqual(expected);
    expect([...commands]).toEqual(expected);
    expect(Buffer.concat(expected.map((_, at) => commands.bytesAt(at)))).toEqual(batch.payload);
  });

  test('are plain with one key and no option, as long as the key is not met', () => {
    const plain = (isMet: boolean): string[] =>
      lines.filter((_, at) => index.isPlain(at, () => isMet)).map((line) => line.split(' ')[0]!);
    expect(plain(false)).toEqual(['SET', 'INCR', 'PEXPIREAT']);
    expect(plain(true)).toEqual([]);
    const met: string[] = [];
    index.isPlain(5, ({ low, high }) => met.push(`${low} ${high}`) > 0);
    expect(met).toEqual(hashesOf(['0 a']));
  });

  test('say of each key whether it is built on, and what deadline it is given', () => {
    const told: string[] = [];
    index.forEachKey((_, isBuild, deadline) => told.push(`${isBuild ? 'build' : 'head'} ${deadline}`));
    expect(told).toEqual([
      // SET, DEL, XGROUP, INCR, SET … PXAT
      'head 0',
      'head 0',
      'head 0',
      'build 0',
      'build 0',
      'head 9',
      // SET … KEEPTTL, PEXPIREAT, SMOVE, TANDEM.EXPIRED, MSET
      'build 0',
      'build 7',
      'build 0',
      'build 0',
      'head 0',
      'build 0',
      'build 0',
    ]);
  });

  test('may have more keys than there are commands', () => {
    const many = Array.from({ length: 100 }, (_, at) => `k${at}`);
    const wide = batchOf(resp('SELECT 1', `DEL ${many.join(' ')}`, 'SET a 1 PXAT 5'), 3);
    const given: number[] = [];
    const wideIndex = indexOf(wide);
    wideIndex.forEachKey((_, _isBuild, deadline) => given.push(deadline));
    expect(given).toEqual([...many.map(() => 0), 5]);
    expect(notedHashes(wideIndex)).toEqual(hashesOf([...many, 'a'].map((key) => `1 ${key}`)));
  });
});
