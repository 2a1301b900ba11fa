import { randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import { scriptSource } from '../../src/lua/scripts.js';
import { readMessages } from '../../src/capture/written-messages.js';
import { parseState, type KeyState } from '../../src/protocol/messages/state.js';
import { useServer } from '../support/use-server.js';

const OUT = 'tandem:{test}:out';
const FAR = 1_900_000_000_000;

const { redis } = useServer({ isEmptied: true });

/** What each write of the script holds, and what the script gives. */
async function copied(
  keys: readonly (readonly [database: number, key: string, rank?: number])[],
  { limit = 1_000_000, absent = 0, large = 0 } = {},
): Promise<{ writes: KeyState[][]; sizes: number[] }> {
  const source = scriptSource('copy-keys').replace(
    "redis.call('SET', KEYS[1], table.concat(states))",
    "redis.call('RPUSH', KEYS[1], table.concat(states))",
  );
  const args = keys.flatMap(([database, key, rank = 0]) => [database, key, rank]);
  const kept = source.replace("redis.call('UNLINK', KEYS[1])", '');
  const sizes = (await redis.call(
    'EVAL',
    kept,
    1,
    OUT,
    'east',
    '',
    0,
    limit,
    absent,
    large,
    ...args,
  )) as number[];
  const writes = await redis.lrangeBuffer(OUT, 0, -1);
  return {
    writes: writes.map((bytes) => readMessages(bytes)!.map(({ args: one }) => parseState(one))),
    sizes,
  };
}

test('the states of many small keys go with one write, whatever their databases and ranks', async () => {
  await redis.set('a', '1', 'PXAT', FAR);
  await redis.rpush('b', 'x', 'y');
  await redis.select(3);
  await redis.sadd('c', 'x');
  await redis.select(0);
  const { writes, sizes } = await copied([
    [0, 'a'],
    [0, 'gone'],
    [3, 'c', 7],
    [0, 'b'],
  ]);
  expect(writes.map((states) => states.map(({ database, key }) => `${database} ${key.toString()}`))).toEqual([
    ['0 a', '3 c', '0 b'],
  ]);
  const [a, c, b] = writes[0]!;
  expect([a!.expiry.toString(), a!.rankTimestamp, a!.elements, a!.since]).toEqual([String(FAR), 0, -1, 0]);
  expect([c!.expiry.toString(), c!.rankTimestamp, c!.elements]).toEqual(['0', 7, -1]);
  expect([b!.rankSite, b!.elements]).toEqual(['east', 2]);
  expect(sizes.map((size) => size > 0)).toEqual([true, false, true, true]);
});

test('a key that is gone is sent as such where that is wanted', async () => {
  const { writes, sizes } = await copied([[0, 'gone', 5]], { absent: 1 });
  expect(writes[0]!.map(({ rankTimestamp, dump }) => [rankTimestamp, dump.length])).toEqual([[-1, 0]]);
  expect(sizes).toEqual([0]);
});

test('a large value goes by itself, and nothing is sent beyond the limit', async () => {
  const large = 'x'.repeat(100);
  await redis.set('a', '1');
  await redis.set('large', randomBytes(80_000));
  await redis.set('b', large);
  await redis.set('c', '1');
  const { writes, sizes } = await copied(
    [
      [0, 'a'],
      [0, 'large'],
      [0, 'b'],
      [0, 'c'],
    ],
    { limit: 50_000 },
  );
  expect(writes.map((states) => states.map(({ key }) => key.toString()))).toEqual([['a'], ['large']]);
  expect(sizes).toHaveLength(2);
});

test('a value that is to be sent in parts is passed over, and said to be', async () => {
  const members = Array.from({ length: 200 }, (_, at) => `member ${at}`);
  await redis.sadd('a', members);
  await redis.set('b', 'x'.repeat(12_000));
  await redis.set('c', 'x'.repeat(90_000));
  await redis.xadd('d', '1-1', 'f', 'x'.repeat(12_000));
  await redis.sadd('e', 'one');
  const keys = ['a', 'b', 'c', 'd', 'e', 'gone'].map((key) => [0, key] as const);
  const { writes, sizes } = await copied(keys, { absent: 1, large: 10_000 });
  // A string is large later, and a stream comes in no parts.
  expect(writes.flat().map(({ key }) => key.toString())).toEqual(['b', 'd', 'e', 'gone']);
  expect(sizes.map((size) => Math.sign(size))).toEqual([-1, 1, -1, 1, 1, 0]);
  expect((await copied(keys)).sizes.map((size) => Math.sign(size))).toEqual([1, 1, 1, 1, 1, 0]);
});
