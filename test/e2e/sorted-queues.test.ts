/**
 * A sorted set as a queue: one site only adds members, the other one only takes them, by their scores. Every member is taken once, and
 * is gone at both sites. What a pop takes does not stand in the replication stream.
 */

import type { Redis } from 'ioredis';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { expectEqual } from '../support/equal.js';
import { type Pair, type Site, startPair } from '../support/pair.js';
import { quiet } from '../support/quiet.js';
import { LONG_BACKLOG, QUICK } from './observe.js';

const SECONDS = Number(process.env['TANDEM_TEST_SECONDS'] ?? 1);
/** Members that are there before anything is taken. */
const BACKLOG = 30;
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

test('processes that are killed while a sorted set is worked cost no member, and none is taken twice', async () => {
  const pair = await startPair({ env: QUICK, server: LONG_BACKLOG });
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
}, 150_000);

/** Once both sites are quiet nothing has come back. */
async function expectEmptied(pair: Pair): Promise<void> {
  await quiet(pair, { deadlineMs: 20_000 });
  await expectEqual(pair.east.redis, pair.west.redis);
  expect(
    (await pair.west.redis.keys('*')).filter((key) => /^(Z|BZ|killed)/.test(key) && !key.endsWith(':done')),
  ).toEqual([]);
}
