import type { ChainableCommander } from 'ioredis';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { expectEqual } from '../support/equal.js';
import { type Pair, type Site, startPair } from '../support/pair.js';
import { quiet, ROUNDS_WHEN_CONTENDED } from '../support/quiet.js';
import { LONG_BACKLOG, QUICK, expectNothingWaits, ownKeys } from './observe.js';

/**
 * Both sites write one and the same key as fast as they can, so that nearly every change of one meets unseen ones of the other. They
 * go on until each has been seen to apply what the other writes meanwhile: on a busy machine that takes its time, but it must come.
 * `TANDEM_TEST_SECONDS`: for how long at the least, all keys together. `TANDEM_TEST_RATE`: no more commands a second and site than that.
 */
const SECONDS = Number(process.env['TANDEM_TEST_SECONDS'] ?? 10);

/** Commands in one go: a client that waits for the answers of a few commands at a time. */
const PIPELINE = 4;
/** Commands a second and site. */
const RATE = Number(process.env['TANDEM_TEST_RATE'] ?? Infinity);
const LOOK_MS = 50;
/** How often a site is seen to have applied something new while it writes on. */
const STEPS = 5;
const STEPS_DEADLINE_MS = 60_000;
const QUIET_DEADLINE_MS = 120_000;

interface Hot {
  readonly name: string;
  readonly key: string;
  /** The command that site writes as its i-th. */
  readonly write: (pipeline: ChainableCommander, site: Site, i: number) => unknown;
  /** What the key holds in the end; `written` are the numbers of commands by site. */
  readonly expectAt: (at: Site, written: Record<string, number>) => Promise<void>;
}

const HOT: readonly Hot[] = [
  {
    name: 'a counter',
    key: 'counter',
    write: (pipeline, site, i) => pipeline.incrby('counter', site.name === 'east' ? 1 + (i % 3) : -1),
    expectAt: async ({ redis }, { east = 0, west = 0 }) =>
      expect(await redis.get('counter')).toBe(String(total(east, (i) => 1 + (i % 3)) - west)),
  },
  {
    name: 'a value',
    key: 'value',
    write: (pipeline, site, i) => pipeline.set('value', `${site.name} ${i}`),
    expectAt: async ({ redis }, { east = 0, west = 0 }) =>
      expect([`east ${east - 1}`, `west ${west - 1}`]).toContain(await redis.get('value')),
  },
  {
    name: 'a counter in a hash',
    key: 'hash of counters',
    write: (pipeline, site, i) => pipeline.hincrby('hash of counters', 'sum', site.name === 'east' ? i : 1),
    expectAt: async ({ redis }, { east = 0, west = 0 }) =>
      expect(await redis.hget('hash of counters', 'sum')).toBe(String(total(east, (i) => i) + west)),
  },
  {
    name: 'a score',
    key: 'scores',
    write: (pipeline, site) => pipeline.zincrby('scores', site.name === 'east' ? 1 : 2, 'm'),
    expectAt: async ({ redis }, { east = 0, west = 0 }) =>
      expect(await redis.zscore('scores', 'm')).toBe(String(east + 2 * west)),
  },
  {
    name: 'a field of a hash',
    key: 'hash',
    write: (pipeline, site, i) =>
      i % 2 === 0 ? pipeline.hset('hash', 'set', `${site.name} ${i}`) : pipeline.hincrby('hash', 'sum', i),
    expectAt: async ({ redis }, { east = 0, west = 0 }) => {
      const odd = (i: number): number => (i % 2 === 0 ? 0 : i);
      expect(await redis.hget('hash', 'sum')).toBe(String(total(east, odd) + total(west, odd)));
      expect([`east ${east - 2}`, `west ${west - 2}`]).toContain(await redis.hget('hash', 'set'));
    },
  },
  {
    name: 'fields of their own',
    key: 'fields',
    write: (pipeline, site, i) => pipeline.hset('fields', `${site.name} ${i % 500}`, i),
    expectAt: async ({ redis }, written) => {
      const last = Object.entries(written).flatMap(([name, count]) =>
        upTo(Math.min(count, 500), (i) => [
          `${name} ${i}`,
          String(i + 500 * Math.floor((count - 1 - i) / 500)),
        ]),
      );
      expect(await redis.hgetall('fields')).toEqual(Object.fromEntries(last));
    },
  },
  {
    name: 'a list',
    key: 'list',
    write: (pipeline, site, i) =>
      i % 4 === 0 ? pipeline.lpush('list', `${site.name} ${i}`) : pipeline.rpush('list', `${site.name} ${i}`),
    expectAt: async ({ redis }, written) => {
      const pushed = Object.entries(written).flatMap(([name, count]) => upTo(count, (i) => `${name} ${i}`));
      expectSame(await redis.lrange('list', 0, -1), pushed);
    },
  },
  {
    name: 'a member of a sorted set',
    key: 'zset',
    write: (pipeline, site, i) =>
      i % 2 === 0
        ? pipeline.zadd('zset', i, 'set')
        : pipeline.zincrby('zset', site.name === 'east' ? 1 : 2, 'sum'),
    expectAt: async ({ redis }, { east = 0, west = 0 }) => {
      expect(await redis.zscore('zset', 'sum')).toBe(String(east / 2 + west));
      expect([String(east - 2), String(west - 2)]).toContain(await redis.zscore('zset', 'set'));
    },
  },
];

let pair: Pair;

beforeAll(async () => {
  pair = await startPair({ env: QUICK, server: LONG_BACKLOG });
});

afterAll(() => pair.close());

test.each(HOT)(
  'both sites write $name as fast as they can: both go on applying, and end equal and exact',
  async (hot) => {
    const atLeastMs = (SECONDS * 1000) / HOT.length;
    const sites = [pair.east, pair.west];
    const began = performance.now();
    const progress = sites.map(() => ({ steps: 0, standstillMs: 0 }));
    const isOver = (): boolean => {
      const elapsedMs = performance.now() - began;
      const isDone = elapsedMs >= atLeastMs && progress.every(({ steps }) => steps >= STEPS);
      return isDone || elapsedMs >= STEPS_DEADLINE_MS + atLeastMs;
    };
    const [written] = await Promise.all([
      Promise.all(sites.map(async (site) => [site.name, await writeUntil(isOver, site, hot)] as const)),
      Promise.all(sites.map((site, at) => follow(progress[at]!, isOver, site))),
    ]);
    const ended = performance.now();
    await quiet(pair, { deadlineMs: QUIET_DEADLINE_MS, rounds: ROUNDS_WHEN_CONTENDED });
    const told = `${hot.name}: ${written.map(([name, count]) => `${name} wrote ${count}`).join(', ')} in ${Math.round(ended - began)} ms; longest standstill ${progress.map(({ standstillMs }) => Math.round(standstillMs)).join(', ')} ms; quiet after ${Math.round(performance.now() - ended)} ms`;
    process.stdout.write(`${told}\n`);
    for (const [at, { steps }] of progress.entries())
      expect(steps, `steps at ${sites[at]!.name}; ${told}`).toBeGreaterThanOrEqual(STEPS);
    await expectEqual(pair.east.redis, pair.west.redis);
    for (const site of sites) await hot.expectAt(site, Object.fromEntries(written));
    await expectNothingWaits(pair);
    await pair.east.redis.unlink(hot.key);
  },
  SECONDS * 1000 + STEPS_DEADLINE_MS + 2 * QUIET_DEADLINE_MS,
);

/** Gives how many commands were written: a whole number of pipelines. */
async function writeUntil(isOver: () => boolean, site: Site, { write }: Hot): Promise<number> {
  const perMs = RATE / 1000;
  const began = performance.now();
  let written = 0;
  while (!isOver()) {
    if (written > (performance.now() - began) * perMs) {
      await pause(1);
      continue;
    }
    const pipeline = site.redis.pipeline();
    for (let i = written; i < written + PIPELINE; i++) write(pipeline, site, i);
    const failed = (await pipeline.exec())?.find(([error]) => error !== null);
    if (failed) throw failed[0] as Error;
    written += PIPELINE;
  }
  return written;
}

interface Progress {
  /** How often something new was seen to be applied. */
  steps: number;
  /** The longest time in which nothing was. */
  standstillMs: number;
}

/** Takes note of how the peer's changes are applied at a site meanwhile. */
async function follow(progress: Progress, isOver: () => boolean, site: Site): Promise<void> {
  const { applied } = ownKeys(pair.name);
  let last = await site.redis.hget(applied, 'n');
  let movedAt = performance.now();
  while (!isOver()) {
    await pause(LOOK_MS);
    const now = await site.redis.hget(applied, 'n');
    progress.standstillMs = Math.max(progress.standstillMs, performance.now() - movedAt);
    if (now === last) continue;
    [last, movedAt] = [now, performance.now()];
    progress.steps++;
  }
}

/** The same elements, each as often, in whatever order; the error names some that are missing or too many. */
function expectSame(found: readonly string[], wanted: readonly string[]): void {
  const counts = new Map<string, number>();
  for (const element of wanted) counts.set(element, (counts.get(element) ?? 0) + 1);
  for (const element of found) counts.set(element, (counts.get(element) ?? 0) - 1);
  const lost = [...counts].filter(([, count]) => count > 0).map(([element]) => element);
  const extra = [...counts].filter(([, count]) => count < 0).map(([element]) => element);
  expect(
    { lost: lost.length, extra: extra.length },
    `of ${wanted.length}; lost ${lost.slice(0, 5).join()}, too often ${extra.slice(0, 5).join()}`,
  ).toEqual({ lost: 0, extra: 0 });
}

function total(count: number, of: (i: number) => number): number {
  return upTo(count, of).reduce((sum, one) => sum + one, 0);
}

function upTo<T>(count: number, of: (i: number) => T): T[] {
  return Array.from({ length: count }, (_, i) => of(i));
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}
