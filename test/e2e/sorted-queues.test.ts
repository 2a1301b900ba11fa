/**
 * A sorted set as a queue: one site only adds members, the other one only takes them, by their scores. Every member is taken once, and
 * is gone at both sites. What a pop takes does not stand in the replication stream.
 */

import type { Redis } from 'ioredis';
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { expectEqual } from '../support/equal.js';
import { type Pair, type Site, startPair } from '../support/pair.js';
import { quiet } from '../support/quiet.js';
import { until } from '../support/wait.js';
import { LONG_BACKLOG, ownKeys, QUICK } from './observe.js';

const SECONDS = Number(process.env['TANDEM_TEST_SECONDS'] ?? 1);
/** Members that are there before anything is taken. */
const BACKLOG = 30;
/** Longer than the test. */
const LIFE_MS = 600_000;
const RATE = Number(process.env['TANDEM_TEST_RATE'] ?? 150);

/** Takes members, and gives them; nothing when there is none. */
type Take = (redis: Redis, key: string) => Promise<string[]>;

const membersOf = (withScores: readonly string[]): string[] => withScores.filter((_, at) => at % 2 === 0);
const POP = `local e = redis.call('ZPOPMIN', KEYS[1]) redis.call('HINCRBY', KEYS[1] .. ':done', 'n', #e / 2) return e[1]`;
const DUE = `local e = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[1], 'LIMIT', 0, 3) if #e > 0 then redis.call('ZREM', KEYS[1], unpack(e)) end return e`;

const WAYS: readonly { how: string; take: Take }[] = [
  { how: 'ZPOPMIN', take: async (redis, key) => membersOf(await redis.zpopmin(key)) },
  { how: 'ZPOPMIN of several', take: async (redis, key) => membersOf(await redis.zpopmin(key, 3)) },
  {
    how: 'BZPOPMIN',
    take: async (redis, key) => (await redis.bzpopmin(key, 0.05))?.slice(1, 2) ?? [],
  },
  {
    how: 'BZMPOP',
    take: async (redis, key) => {
      const found = (await redis.call('BZMPOP', 0.05, 1, key, 'MIN', 'COUNT', 2)) as
        | [string, [string, string][]]
        | null;
      return found?.[1].map(([member]) => member) ?? [];
    },
  },
  {
    how: 'ZPOPMIN in a script',
    take: async (redis, key) => {
      const member = (await redis.eval(POP, 1, key)) as string | null;
      return member === null ? [] : [member];
    },
  },
  {
    how: 'ZRANGEBYSCORE and ZREM',
    take: async (redis, key) => (await redis.eval(DUE, 1, key, 'inf')) as string[],
  },
];

interface Work {
  readonly from: Site;
  readonly to: Site;
  readonly key: string;
  readonly take: Take;
  readonly score: (index: number) => number;
  readonly perSecond?: number;
  readonly backlog?: number;
}

/** Fills a sorted set at one site and empties it at the other, until it is empty. @returns what was taken, in order */
async function work({
  from,
  to,
  key,
  take,
  score,
  perSecond = RATE,
  backlog = BACKLOG,
}: Work): Promise<string[]> {
  const [producer, consumer] = [from.redis, to.redis.duplicate()];
  const count = backlog + Math.round(perSecond * SECONDS);
  const add = (i: number): Promise<unknown> => producer.zadd(key, score(i), String(i));
  for (let i = 0; i < backlog; i++) await add(i);
  const taken: string[] = [];
  const deadline = Date.now() + SECONDS * 1000 + 60_000;
  const consuming = (async (): Promise<void> => {
    while (taken.length < count && Date.now() < deadline) {
      const members = await take(consumer, key);
      taken.push(...members);
      if (members.length === 0) await sleep(2);
    }
  })();
  const startMs = Date.now();
  for (let i = backlog; i < count;) {
    const due = backlog + Math.floor(((Date.now() - startMs) / 1000) * perSecond);
    while (i < count && i < due) await add(i++);
    await sleep(1);
  }
  await consuming;
  consumer.disconnect();
  return taken;
}

const inOrder = (count: number): string[] => Array.from({ length: count }, (_, i) => String(i));

const NO_FAULTS = { lost: [], twice: [], late: [] };

/** What was not taken, what was taken again, and what was taken behind a later one. */
function faultsOf(
  taken: readonly string[],
  all: readonly string[],
): Record<'lost' | 'twice' | 'late', string[]> {
  const found = new Set(taken);
  return {
    lost: all.filter((one) => !found.has(one)),
    twice: taken.filter((one, at) => taken.indexOf(one) < at),
    late: taken.filter((one, at) => at > 0 && Number(one) < Number(taken[at - 1])),
  };
}

describe.each([
  ['on loopback', 0],
  ['80 ms apart', 40],
])('a sorted set that one site fills and the other one empties, %s', (_, delayMs) => {
  let pair: Pair;

  beforeAll(async () => {
    pair = await startPair({
      env: QUICK,
      server: LONG_BACKLOG,
      ...(delayMs > 0 ? { proxy: { delayMs } } : {}),
    });
  }, 60_000);

  afterAll(() => pair.close());

  test.each(WAYS)(
    'each member is taken once: $how',
    async ({ how, take }) => {
      const all = inOrder(BACKLOG + RATE * SECONDS);
      for (const [from, to] of [
        [pair.east, pair.west],
        [pair.west, pair.east],
      ] as const) {
        const key = `${how} ${from.name}`;
        const [ordered, mixed] = await Promise.all([
          work({ from, to, key, take, score: (i) => i }),
          work({ from, to, key: `${key} mixed`, take, score: (i) => (i * 7919) % 10 }),
        ]);
        expect(faultsOf(ordered, all)).toEqual(NO_FAULTS);
        expect({ ...faultsOf(mixed, all), late: [] }).toEqual(NO_FAULTS);
      }
      await expectEmptied(pair);
    },
    90_000,
  );
});

test.each([
  { way: 'beside each other', delayMs: 0 },
  { way: '80 ms apart', delayMs: 40 },
])(
  'processes that are killed while a sorted set is worked cost no member, and none is taken twice: $way',
  async ({ delayMs }) => {
    const pair = await startPair({ env: QUICK, server: LONG_BACKLOG, proxy: { delayMs } });
    try {
      const { take } = WAYS[0]!;
      const working = work({ from: pair.east, to: pair.west, key: 'killed', take, score: (i) => i % 5 });
      for (const site of [pair.west, pair.east, pair.west]) {
        await sleep((SECONDS * 1000) / 4);
        await site.kill();
        site.start();
      }
      const all = inOrder(BACKLOG + RATE * SECONDS);
      expect({ ...faultsOf(await working, all), late: [] }).toEqual(NO_FAULTS);
      await expectEmptied(pair);
    } finally {
      await pair.close();
    }
  },
  150_000,
);

test('a process that begins again and finds the set emptied does not ask for it: what is popped next would come back', async () => {
  const pair = await startPair({ env: QUICK, server: LONG_BACKLOG, proxy: true });
  try {
    const { east, west } = pair;
    await east.redis.zadd('killed', 1, 'first');
    await until('the member to cross', async () => (await west.redis.zcard('killed')) === 1);
    await quiet(pair);
    // What is taken at west is not seen at east meanwhile, so the member that is added again meets it there.
    west.toPeer!.cut();
    await west.redis.zrem('killed', 'first');
    await until('that to be captured', async () => (await west.redis.llen(ownKeys().changes)) > 0);
    await west.kill();
    west.start();
    await east.redis.zadd('killed', 2, 'first');
    await until('the member to cross again', async () => (await west.redis.zcard('killed')) === 1);
    expect(await west.redis.zpopmin('killed')).toEqual(['first', '2']);
    west.toPeer!.resume();
    await expectEmptied(pair);
    const outcomes = (await west.redis.xrange(ownKeys().conflicts, '-', '+')).map(
      ([, fields]) => fields[fields.indexOf('outcome') + 1],
    );
    expect(outcomes).not.toContain('state-asked');
  } finally {
    await pair.close();
  }
}, 150_000);

test.each([
  {
    kind: 'sorted set',
    add: (redis: Redis) => redis.zadd('lives', 1, randomUUID()),
    take: (redis: Redis) => redis.zpopmin('lives'),
    size: (redis: Redis) => redis.zcard('lives'),
  },
  {
    kind: 'list',
    add: (redis: Redis) => redis.rpush('lives', randomUUID()),
    take: (redis: Redis) => redis.lpop('lives'),
    size: (redis: Redis) => redis.llen('lives'),
  },
])(
  'a $kind with a deadline keeps it at both sites where a process begins again and finds it emptied',
  async ({ add, take, size }) => {
    const pair = await startPair({ env: QUICK, server: LONG_BACKLOG, proxy: true });
    try {
      const { east, west } = pair;
      await add(east.redis);
      await east.redis.pexpire('lives', LIFE_MS);
      await until('the first to cross', async () => (await west.redis.pttl('lives')) > 0);
      await quiet(pair);
      west.toPeer!.cut();
      await take(west.redis);
      await until('that to be captured', async () => (await west.redis.llen(ownKeys().changes)) > 0);
      await west.kill();
      west.start();
      // To its application the key is there, and has its deadline: it is not given one again.
      await add(east.redis);
      await until('the second to cross', async () => (await size(west.redis)) === 1);
      west.toPeer!.resume();
      await quiet(pair);
      await expectEqual(east.redis, west.redis);
      for (const { name, redis } of [east, west])
        expect(await redis.pttl('lives'), `the deadline at ${name}`).toBeGreaterThan(0);
      expect(await size(east.redis)).toBe(1);
    } finally {
      await pair.close();
    }
  },
  150_000,
);

/** Once both sites are quiet nothing has come back. */
async function expectEmptied(pair: Pair): Promise<void> {
  await quiet(pair, { deadlineMs: 20_000 });
  await expectEqual(pair.east.redis, pair.west.redis);
  expect(
    (await pair.west.redis.keys('*')).filter((key) => /^(Z|BZ|killed)/.test(key) && !key.endsWith(':done')),
  ).toEqual([]);
}
