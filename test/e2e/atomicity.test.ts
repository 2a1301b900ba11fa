import type { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { expectEqual } from '../support/equal.js';
import { type Pair, startPair } from '../support/pair.js';
import { quiet } from '../support/quiet.js';
import { until } from '../support/wait.js';
import { LONG_BACKLOG, QUICK, expectNothingWaits, statusOf } from './observe.js';

const TRANSFER = `
  local amount = tonumber(ARGV[1])
  redis.call('DECRBY', KEYS[1], amount)
  redis.call('INCRBY', KEYS[2], amount)
  redis.call('RPUSH', KEYS[3], amount)`;

const READ = "return { redis.call('GET', KEYS[1]), redis.call('GET', KEYS[2]), redis.call('LLEN', KEYS[3]) }";

const LARGE_DEADLINE_MS = 60_000;

let pair: Pair;

beforeAll(async () => {
  const config = { ...LONG_BACKLOG.config, 'client-output-buffer-limit': 'replica 0 0 0' };
  pair = await startPair({ env: QUICK, server: { config } });
});

afterAll(() => pair.close());

test('who reads at the other site never sees half of a transaction or of a script', async () => {
  const { east, west } = pair;
  const keys = ['account:a', 'account:b', 'transfers'];
  await east.redis.mset('account:a', 0, 'account:b', 0);
  await quiet(pair);
  const stop = new AbortController();
  const readers = [readInScript, readInTransaction].map((read) =>
    watchSums(west.server.client(), (redis) => read(redis, keys), stop.signal),
  );
  const rounds = 3000;
  for (let i = 1; i <= rounds; i += 2) {
    await east.redis.multi().decrby(keys[0]!, i).incrby(keys[1]!, i).rpush(keys[2]!, i).exec();
    await east.redis.eval(TRANSFER, 3, ...keys, i + 1);
  }
  await quiet(pair);
  stop.abort();
  const [inScript, inTransaction] = await Promise.all(readers);
  expect(inScript!.halves).toEqual([]);
  expect(inTransaction!.halves).toEqual([]);
  // It has looked in between, not only before and after.
  expect(inScript!.distinct).toBeGreaterThan(20);
  const order = await west.redis.lrange('transfers', 0, -1);
  expect(order).toEqual(Array.from({ length: rounds }, (_, index) => String(index + 1)));
});

test('a transaction of 20,000 commands travels whole', async () => {
  const commands = 20_000;
  await expectWhole(
    'many',
    async (redis) => {
      const transaction = redis.multi();
      for (let i = 0; i < commands; i++) transaction.rpush('many', i).incr('many:count');
      await transaction.exec();
    },
    commands,
  );
  expect(await pair.west.redis.get('many:count')).toBe(String(commands));
});

test('a transaction of 5 MB travels whole', async () => {
  const value = Buffer.alloc(100_000, 'x');
  await expectWhole(
    'heavy',
    async (redis) => {
      const transaction = redis.multi();
      for (let i = 0; i < 50; i++) transaction.rpush('heavy', value);
      await transaction.exec();
    },
    50,
  );
});

test("a script's 20,000 effects travel whole", async () => {
  await expectWhole(
    'scripted',
    async (redis) => {
      await redis.eval("for i = 1, 20000 do redis.call('RPUSH', KEYS[1], i) end", 1, 'scripted');
    },
    20_000,
  );
});

test('a transaction across databases arrives in them', async () => {
  const { east, west } = pair;
  const client = east.server.client();
  await client.multi().set('where', '0').select(3).set('where', '3').select(5).set('where', '5').exec();
  client.disconnect();
  await east.redis.set('after', 'x');
  await quiet(pair);
  await expectEqual(east.redis, west.redis);
  expect(await west.redis.get('after')).toBe('x');
});

test('keys and values of any bytes arrive as they are', async () => {
  const { east, west } = pair;
  const all = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
  const odd = [
    all,
    Buffer.alloc(0),
    Buffer.from('*1\r\n$4\r\nPING\r\n'),
    Buffer.from([0xff, 0x00, 0x0d, 0x0a]),
  ];
  for (const [index, bytes] of odd.entries()) {
    const key = Buffer.concat([Buffer.from(`binary:${index}:`), bytes]);
    await east.redis.set(key, bytes);
    await east.redis.hset(Buffer.concat([key, Buffer.from(':hash')]), bytes, bytes);
  }
  await east.redis.set(Buffer.alloc(0), 'the empty key');
  await quiet(pair);
  await expectEqual(east.redis, west.redis);
  expect(await west.redis.get('')).toBe('the empty key');
});

test(
  'a value of 100 MB arrives',
  async () => {
    const { east, west } = pair;
    const size = 100 * 1024 * 1024;
    await east.redis.set('large', Buffer.alloc(size, 'large '));
    await east.redis.set('after:large', 'x');
    await until('what follows the large value to cross', () => west.redis.get('after:large'), {
      deadlineMs: LARGE_DEADLINE_MS,
    });
    expect(await west.redis.strlen('large')).toBe(size);
    expect(await digest(west.redis, 'large')).toBe(await digest(east.redis, 'large'));
    await east.redis.del('large');
    await quiet(pair, { deadlineMs: LARGE_DEADLINE_MS });
    await expectNothingWaits(pair);
  },
  2 * LARGE_DEADLINE_MS,
);

/** While the write is on its way, the list at the other site has all its elements or none. */
async function expectWhole(
  list: string,
  write: (redis: Redis) => Promise<void>,
  length: number,
): Promise<void> {
  const { east, west } = pair;
  const stop = new AbortController();
  const lengths = new Set<number>();
  const looking = (async () => {
    while (!stop.signal.aborted) lengths.add(await west.redis.llen(list));
  })();
  await write(east.redis);
  await quiet(pair, { deadlineMs: LARGE_DEADLINE_MS });
  stop.abort();
  await looking;
  expect([...lengths].toSorted((one, other) => one - other)).toEqual([0, length]);
  await expectEqual(east.redis, west.redis);
  expect((await statusOf(west)).rejected).toBe(0);
}

interface Seen {
  /** What was read that cannot be between two changes. */
  halves: string[];
  distinct: number;
}

type Balance = [first: number, second: number, transfers: number];

/** Reads again and again: the sum of the accounts is zero, and what was moved is the sum of the first numbers. */
async function watchSums(
  redis: Redis,
  read: (redis: Redis) => Promise<Balance>,
  signal: AbortSignal,
): Promise<Seen> {
  const halves: string[] = [];
  const seen = new Set<number>();
  while (!signal.aborted) {
    const [first, second, transfers] = await read(redis);
    seen.add(transfers);
    const moved = (transfers * (transfers + 1)) / 2;
    if (first + second !== 0 || second !== moved) halves.push(`${first} ${second} after ${transfers}`);
  }
  redis.disconnect();
  return { halves, distinct: seen.size };
}

async function readInScript(redis: Redis, keys: string[]): Promise<Balance> {
  const [first, second, transfers] = (await redis.eval(READ, keys.length, ...keys)) as (string | number)[];
  return [Number(first), Number(second), Number(transfers)];
}

async function readInTransaction(
  redis: Redis,
  [first = '', second = '', list = '']: string[],
): Promise<Balance> {
  const replies = await redis.multi().get(first).get(second).llen(list).exec();
  const [a, b, transfers] = (replies ?? []).map(([, value]) => Number(value));
  return [a!, b!, transfers!];
}

async function digest(redis: Redis, key: string): Promise<unknown> {
  return redis.eval("return redis.sha1hex(redis.call('GET', KEYS[1]))", 1, key);
}
