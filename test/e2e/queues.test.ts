/**
 * The plainest work queue: one site only fills a list, the other one only takes from it. Every element is taken once, in order, and is
 * gone at both sites; and nothing is ever asked for or sent whole for it: the servers count each `DUMP`.
 */

import type { Redis } from 'ioredis';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { expectEqual } from '../support/equal.js';
import { type Pair, type Site, startPair } from '../support/pair.js';
import { quiet } from '../support/quiet.js';
import { until } from '../support/wait.js';
import { LONG_BACKLOG, QUICK, expectNothingWaits, statusOf } from './observe.js';

const SECONDS = Number(process.env['TANDEM_TEST_SECONDS'] ?? 2);

/** Takes an element, or several, and gives them; nothing when there is none. */
type Take = (redis: Redis, key: string) => Promise<string[]>;

const one = (element: string | null): string[] => (element === null ? [] : [element]);
const SCRIPT = `local e = redis.call('RPOPLPUSH', KEYS[1], KEYS[2]) if e then redis.call('LREM', KEYS[2], 1, e) end return e`;

const WAYS: readonly { how: string; push: 'lpush' | 'rpush'; take: Take }[] = [
  { how: 'LPUSH and RPOP', push: 'lpush', take: async (redis, key) => one(await redis.rpop(key)) },
  { how: 'RPUSH and LPOP', push: 'rpush', take: async (redis, key) => one(await redis.lpop(key)) },
  {
    how: 'LPUSH and BRPOP',
    push: 'lpush',
    take: async (redis, key) => (await redis.brpop(key, 0.05))?.slice(1) ?? [],
  },
  {
    how: 'LPUSH, BLMOVE and LREM',
    push: 'lpush',
    take: async (redis, key) => {
      const element = await redis.blmove(key, `${key}:active`, 'RIGHT', 'LEFT', 0.05);
      if (element !== null) await redis.lrem(`${key}:active`, 1, element);
      return one(element);
    },
  },
  {
    how: 'LPUSH, and RPOPLPUSH and LREM in a transaction',
    push: 'lpush',
    take: async (redis, key) => {
      const element = await redis.lindex(key, -1);
      if (element === null) return [];
      const replies = await redis
        .multi()
        .rpoplpush(key, `${key}:active`)
        .lrem(`${key}:active`, 1, element)
        .exec();
      return one(replies![0]![1] as string | null);
    },
  },
  {
    how: 'LPUSH, and RPOPLPUSH and LREM in a script',
    push: 'lpush',
    take: async (redis, key) => one((await redis.eval(SCRIPT, 2, key, `${key}:active`)) as string | null),
  },
];

/** Pops of several elements, with what puts them there. */
const COUNTED: readonly { how: string; push: 'lpush' | 'rpush'; take: Take }[] = [
  { how: 'RPOP', push: 'lpush', take: async (redis, key) => (await redis.rpop(key, 3)) ?? [] },
  { how: 'LPOP', push: 'rpush', take: async (redis, key) => (await redis.lpop(key, 4)) ?? [] },
  {
    how: 'LMPOP',
    push: 'lpush',
    take: async (redis, key) => several(await redis.call('LMPOP', 1, key, 'RIGHT', 'COUNT', 3)),
  },
  {
    how: 'BLMPOP',
    push: 'rpush',
    take: async (redis, key) => several(await redis.call('BLMPOP', 0.05, 1, key, 'LEFT', 'COUNT', 5)),
  },
];

function several(reply: unknown): string[] {
  return (reply as [key: string, elements: string[]] | null)?.[1] ?? [];
}

interface Work {
  readonly from: Site;
  readonly to: Site;
  readonly key: string;
  readonly push: 'lpush' | 'rpush';
  readonly take: Take;
  readonly perSecond: number;
  readonly backlog: number;
  /** Where an element goes that fails the first time, if any does. */
  readonly retry?: 'lpush' | 'rpush';
}

/** Fills a queue at one site and empties it at the other, until it is empty. @returns what was taken, in order */
async function work({ from, to, key, push, take, perSecond, backlog, retry }: Work): Promise<string[]> {
  const [producer, consumer] = [from.redis, to.redis.duplicate()];
  const count = backlog + Math.round(perSecond * SECONDS);
  for (let i = 0; i < backlog; i++) await producer[push](key, String(i));
  const taken: string[] = [];
  const failed = new Set<string>();
  const isDone = (): boolean => taken.length >= count + failed.size;
  const deadline = Date.now() + SECONDS * 1000 + 60_000;
  const consuming = (async (): Promise<void> => {
    while (!isDone() && Date.now() < deadline) {
      const elements = await take(consumer, key);
      taken.push(...elements);
      for (const element of elements)
        if (retry && Number(element) % 7 === 3 && !failed.has(element)) {
          failed.add(element);
          await consumer[retry](key, element);
        }
      if (elements.length === 0) await sleep(2);
    }
  })();
  const startMs = Date.now();
  for (let i = backlog; i < count;) {
    const due = backlog + Math.floor(((Date.now() - startMs) / 1000) * perSecond);
    while (i < count && i < due) await producer[push](key, String(i++));
    await sleep(1);
  }
  await consuming;
  consumer.disconnect();
  return taken;
}

/** Values that a server has read out whole since its statistics were reset: one for each state. */
async function statesOf({ redis }: Site): Promise<number> {
  return Number(/cmdstat_dump:calls=(\d+)/.exec(await redis.info('commandstats'))?.[1] ?? 0);
}

async function expectNothingAsked({ east, west }: Pair): Promise<void> {
  const [late, states] = [
    [await statusOf(east), await statusOf(west)].map((one_) => one_.late),
    [await statesOf(east), await statesOf(west)],
  ];
  expect({ late, states }).toEqual({ late: [0, 0], states: [0, 0] });
}

function numbered(count: number): string[] {
  return Array.from({ length: count }, (_, i) => String(i));
}

describe.each([
  ['on loopback', 0],
  ['80 ms apart', 40],
])('a queue that one site fills and the other one empties, %s', (_, delayMs) => {
  let pair: Pair;

  beforeAll(async () => {
    pair = await startPair({
      env: QUICK,
      server: LONG_BACKLOG,
      ...(delayMs > 0 ? { proxy: { delayMs } } : {}),
    });
    for (const { redis } of [pair.east, pair.west]) await redis.config('RESETSTAT');
  }, 60_000);

  afterAll(() => pair.close());

  test.each(WAYS)(
    'each element is taken once, in order: $how',
    async ({ how, push, take }) => {
      for (const [from, to] of [
        [pair.east, pair.west],
        [pair.west, pair.east],
      ] as const) {
        const key = `${how} ${from.name}`;
        const taken = await work({ from, to, key, push, take, perSecond: 300, backlog: 50 });
        expect(taken).toEqual(numbered(50 + 300 * SECONDS));
      }
      await quiet(pair, { deadlineMs: 20_000 });
      await expectEqual(pair.east.redis, pair.west.redis);
      await expectNothingAsked(pair);
    },
    90_000,
  );

  test('both directions at once, in two queues', async () => {
    const { take } = WAYS[3]!;
    const way = { push: 'lpush', take, perSecond: 200, backlog: 20 } as const;
    const [there, back] = await Promise.all([
      work({ ...way, from: pair.east, to: pair.west, key: 'there' }),
      work({ ...way, from: pair.west, to: pair.east, key: 'back' }),
    ]);
    expect([there, back]).toEqual([numbered(20 + 200 * SECONDS), numbered(20 + 200 * SECONDS)]);
    await quiet(pair, { deadlineMs: 20_000 });
    await expectEqual(pair.east.redis, pair.west.redis);
    await expectNothingAsked(pair);
  }, 60_000);

  test('what fails is put back where it is taken next, and is taken once more', async () => {
    for (const [from, to] of [
      [pair.east, pair.west],
      [pair.west, pair.east],
    ] as const) {
      const key = `retried ${from.name}`;
      const { push, take } = WAYS[0]!;
      const taken = await work({ from, to, key, push, take, perSecond: 200, backlog: 20, retry: 'rpush' });
      const counts = new Map<string, number>();
      for (const element of taken) counts.set(element, (counts.get(element) ?? 0) + 1);
      const wrong = [...counts].filter(([element, times]) => times !== (Number(element) % 7 === 3 ? 2 : 1));
      expect([counts.size, wrong]).toEqual([20 + 200 * SECONDS, []]);
    }
    await quiet(pair, { deadlineMs: 20_000 });
    await expectEqual(pair.east.redis, pair.west.redis);
    await expectNothingAsked(pair);
  }, 60_000);

  // How many there are to be taken differs from site to site, so a place may have to be asked for.
  test('pops of several elements take each once, in order', async () => {
    for (const [from, to] of [
      [pair.east, pair.west],
      [pair.west, pair.east],
    ] as const) {
      const ways = COUNTED.map((way) => ({ ...way, key: `several by ${way.how} ${from.name}`, from, to }));
      const taken = await Promise.all(
        ways.map(async (way) => [way.key, await work({ ...way, perSecond: 60, backlog: 20 })]),
      );
      expect(taken).toEqual(ways.map(({ key }) => [key, numbered(20 + 60 * SECONDS)]));
    }
    await quiet(pair, { deadlineMs: 20_000 });
    await expectEqual(pair.east.redis, pair.west.redis);
    expect(await pair.west.redis.keys('several by *')).toEqual([]);
  }, 150_000);
});

test('processes that are killed while a queue is worked cost no element, none is taken twice, and nothing is asked', async () => {
  const pair = await startPair({ env: QUICK, server: LONG_BACKLOG });
  try {
    for (const { redis } of [pair.east, pair.west]) await redis.config('RESETSTAT');
    const { push, take } = WAYS[3]!;
    const working = work({
      from: pair.east,
      to: pair.west,
      key: 'killed',
      push,
      take,
      perSecond: 200,
      backlog: 20,
    });
    for (const site of [pair.west, pair.east, pair.west]) {
      await sleep((SECONDS * 1000) / 4);
      await site.kill();
      site.start();
    }
    expect(await working).toEqual(numbered(20 + 200 * SECONDS));
    await quiet(pair, { deadlineMs: 20_000 });
    await expectEqual(pair.east.redis, pair.west.redis);
    await expectNothingWaits(pair);
    await expectNothingAsked(pair);
    await until(
      'the lists to be gone',
      async () => (await pair.east.redis.exists('killed', 'killed:active')) === 0,
    );
  } finally {
    await pair.close();
  }
}, 90_000);
