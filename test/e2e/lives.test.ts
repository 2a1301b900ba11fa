/**
 * Keys with a deadline as people use them, at both sites at once, 80 ms apart, while the processes are killed: limiters, sliding
 * windows, sessions, caches, locks, and every type. Afterwards nothing is left, and at no time does a key stand there without the
 * deadline that every one of its writers gave it. `TANDEM_TEST_SECONDS` makes it longer.
 */

import type { ChainableCommander, Redis } from 'ioredis';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, expect, test } from 'vitest';
import { Random } from '../support/model/random.js';
import { type Pair, type Site, startPair } from '../support/pair.js';
import { quiet } from '../support/quiet.js';
import { until } from '../support/wait.js';
import { endProcesses, Seen } from './lives-seen.js';
import { LONG_BACKLOG, QUICK } from './observe.js';

const SECONDS = Number(process.env['TANDEM_TEST_SECONDS'] ?? 10);
const SEED = Number(process.env['TANDEM_TEST_SEED'] ?? 1);
const WINDOW_MS = 700;
const USERS = 3;

let pair: Pair | undefined;

afterEach(async () => {
  await pair?.close();
  pair = undefined;
});

/** What a use of a key answers: what it has counted, if it counts. */
type Use = (client: Redis, key: string, token: string) => Promise<number | undefined>;

/** The one who makes the key gives it its deadline, in one script. */
const first = (write: string): Use => {
  const script = `local isNew = redis.call('EXISTS', KEYS[1]) == 0
    local answer = redis.call(${write})
    if isNew then redis.call('PEXPIRE', KEYS[1], ARGV[1]) end
    return answer`;
  return async (client, key, token) => {
    await client.eval(script, 1, key, WINDOW_MS, token);
    return undefined;
  };
};

const LIMITER = `local count = redis.call('INCR', KEYS[1])
  if count == 1 then redis.call('PEXPIRE', KEYS[1], ARGV[1]) end
  return count`;
const RELEASE = `if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0`;

async function answered(transaction: ChainableCommander, at: number): Promise<unknown> {
  const replies = await transaction.exec();
  for (const [error] of replies!) if (error) throw error;
  return replies![at]![1];
}

const USES: Readonly<Record<string, Use>> = {
  'limiter by script': async (client, key) => Number(await client.eval(LIMITER, 1, key, WINDOW_MS)),
  'limiter by PEXPIRE NX': async (client, key) =>
    Number(await answered(client.multi().incr(key).pexpire(key, WINDOW_MS, 'NX'), 0)),
  'limiter by SET NX': async (client, key) =>
    Number(await answered(client.multi().set(key, 0, 'PX', WINDOW_MS, 'NX').incr(key), 1)),
  'sliding window': async (client, key, token) => {
    const now = Date.now();
    const window = client
      .multi()
      .zremrangebyscore(key, 0, now - WINDOW_MS)
      .zadd(key, now, token)
      .zcard(key)
      .pexpire(key, WINDOW_MS);
    return Number(await answered(window, 2));
  },
  session: async (client, key, token) => {
    await answered(
      client.multi().hset(key, 'seen', token).hincrby(key, 'hits', 1).pexpire(key, WINDOW_MS),
      0,
    );
    return undefined;
  },
  cache: async (client, key, token) => {
    await client.set(key, token, 'PX', WINDOW_MS);
    return undefined;
  },
  lock: async (client, key, token) => {
    if ((await client.set(key, token, 'PX', WINDOW_MS, 'NX')) === null) return undefined;
    await sleep(30);
    await client.eval(RELEASE, 1, key, token);
    return undefined;
  },
  string: first(`'APPEND', KEYS[1], 'x'`),
  hash: first(`'HSET', KEYS[1], ARGV[2], 1`),
  set: first(`'SADD', KEYS[1], ARGV[2]`),
  'sorted set': first(`'ZINCRBY', KEYS[1], 1, 'm'`),
  list: first(`'RPUSH', KEYS[1], ARGV[2]`),
  stream: first(`'XADD', KEYS[1], '*', 'f', ARGV[2]`),
  HyperLogLog: first(`'PFADD', KEYS[1], ARGV[2]`),
};

const WITHOUT_DEADLINE = `local found = {}
  for _, key in ipairs(redis.call('KEYS', 'live:*')) do
    if redis.call('PTTL', key) == -1 then found[#found + 1] = key end
  end
  return found`;

async function use(
  site: Site,
  { seen, end, random }: { seen: Seen; end: number; random: Random },
): Promise<void> {
  let token = 0;
  while (Date.now() < end) {
    const [kind, touch] = random.pick(Object.entries(USES));
    const key = `live:${kind}:${random.below(USERS)}`;
    const askedAt = seen.ask(key);
    const count = await touch(site.redis, key, `${site.name}:${random.below(1_000_000)}:${++token}`);
    if (count !== undefined) seen.count(key, count, askedAt);
    await sleep(random.below(6));
  }
}

async function watch(
  { name, redis }: Site,
  { seen, over }: { seen: Seen; over: AbortSignal },
): Promise<void> {
  while (!over.aborted) {
    for (const key of (await redis.eval(WITHOUT_DEADLINE, 0)) as string[])
      seen.endless.add(`${key} at ${name}`);
    await sleep(3);
  }
}

test(
  'what every writer gives a deadline ends at both sites, and never stands there without one',
  { timeout: 120_000 + 2 * SECONDS * 1000 },
  async () => {
    pair = await startPair({ server: LONG_BACKLOG, env: QUICK, proxy: { delayMs: 40 } });
    const sites = [pair.east, pair.west] as const;
    const seen = new Seen(WINDOW_MS);
    const end = Date.now() + SECONDS * 1000;
    const over = new AbortController();
    const watching = sites.map((site) => watch(site, { seen, over: over.signal }));
    await Promise.all([
      ...sites.flatMap((site, at) =>
        [0, 1, 2, 3].map((user) => use(site, { seen, end, random: new Random(SEED * 100 + at * 10 + user) })),
      ),
      endProcesses(sites, { end, random: new Random(SEED) }),
    ]);
    await quiet(pair, { deadlineMs: 30_000 });
    over.abort();
    await Promise.all(watching);
    expect([...seen.endless]).toEqual([]);
    expect(seen.tooMany).toEqual([]);
    for (const { name, redis } of sites)
      await until(`nothing to be left at ${name}`, async () => (await redis.keys('live:*')).length === 0);
  },
);
