/**
 * What Bull, RQ and Celery send, with the producer at one site and the only worker at the other: each job is done once, in order, and
 * nothing of it is left at either site. (Jobs that a worker puts back where new ones are added have a limit: docs/guide/limits.md.)
 */

import type { Redis } from 'ioredis';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { expectEqual } from '../support/equal.js';
import { type Pair, type Site, startPair } from '../support/pair.js';
import { quiet } from '../support/quiet.js';
import { until } from '../support/wait.js';
import { bull } from '../support/work-queues/bull.js';
import { celery } from '../support/work-queues/celery.js';
import type { JobOptions, Library, Outcome } from '../support/work-queues/library.js';
import { rq } from '../support/work-queues/rq.js';
import { LONG_BACKLOG, QUICK } from './observe.js';

const JOBS = Number(process.env['TANDEM_TEST_JOBS'] ?? 60);
const PAUSE_MS = 20;

let pair: Pair;

beforeAll(async () => {
  pair = await startPair({ env: QUICK, server: LONG_BACKLOG });
}, 60_000);

afterAll(() => pair.close());

interface Pattern {
  readonly name: string;
  readonly library: Library;
  readonly options?: (index: number) => JobOptions;
  /** What becomes of a job the first time, if it is not done. */
  readonly first?: (index: number) => Outcome;
  /** Jobs of one lane are begun in the order in which they were added. Default: all are in one. */
  readonly lane?: (index: number) => number;
}

const everyFifthIsLost = (index: number): Outcome => (index % 5 === 2 ? 'lost' : 'done');
const later = (index: number): JobOptions => ({ delayMs: 50 + (index % 10) * 30 });
const eachByItself = (index: number): number => index;

const PATTERNS: readonly Pattern[] = [
  { name: "Bull's jobs", library: bull },
  { name: "Bull's delayed jobs", library: bull, options: later, lane: eachByItself },
  { name: "RQ's jobs in one queue", library: rq({ two: false }) },
  { name: "RQ's jobs in two queues", library: rq({ two: true }), lane: (index) => Number(index % 3 === 0) },
  {
    name: "RQ's scheduled jobs",
    library: rq({ two: false }),
    options: later,
    lane: eachByItself,
  },
  { name: "Celery's tasks", library: celery, lane: (index) => index % 4 },
  {
    name: "Celery's tasks whose worker dies once",
    library: celery,
    first: everyFifthIsLost,
    lane: (index) => index % 4,
  },
];

interface Work {
  readonly pattern: Pattern;
  readonly queue: string;
  readonly from: Site;
  readonly to: Site;
}

/** What was begun, in order, and one more turn of the worker. */
interface Worked {
  readonly runs: readonly number[];
  readonly again: () => Promise<void>;
}

/** Adds the jobs at one site and works them at the other, until all are done. */
async function work({ pattern, queue, from, to }: Work, consumer: Redis): Promise<Worked> {
  const { library, options, first } = pattern;
  const runs: number[] = [];
  const perform = (index: number): Outcome => {
    const isFirst = !runs.includes(index);
    runs.push(index);
    return isFirst ? (first?.(index) ?? 'done') : 'done';
  };
  const again = async (): Promise<void> => library.turn(consumer, queue, perform);
  const producing = (async () => {
    for (let index = 0; index < JOBS; index++) {
      await library.add(from.redis, queue, index, options?.(index));
      await sleep(PAUSE_MS);
    }
  })();
  const consuming = until(
    `the jobs of ${queue} to be done`,
    async () => {
      await again();
      return (await library.counts(to.redis, queue)).finished >= JOBS;
    },
    { deadlineMs: 60_000, pauseMs: 1, maxPauseMs: 1 },
  );
  await Promise.all([producing, consuming]);
  return { runs, again };
}

/** Works all ways at once. What came back to a queue is found by another turn, once both sites are quiet. */
async function workAll(ways: readonly Work[]): Promise<(readonly number[])[]> {
  const consumers = ways.map(({ to }) => to.redis.duplicate());
  try {
    const worked = await Promise.all(ways.map(async (way, at) => work(way, consumers[at]!)));
    await quiet(pair, { deadlineMs: 20_000 });
    for (const { again } of worked) await again();
    await quiet(pair, { deadlineMs: 20_000 });
    return worked.map(({ runs }) => runs);
  } finally {
    for (const consumer of consumers) consumer.disconnect();
  }
}

/** The jobs of each lane in the order in which they were begun first. */
function lanesOf(runs: readonly number[], lane: (index: number) => number): number[][] {
  const lanes = new Map<number, number[]>();
  for (const index of new Set(runs)) {
    const name = lane(index);
    lanes.set(name, [...(lanes.get(name) ?? []), index]);
  }
  return [...lanes].toSorted(([one], [other]) => one - other).map(([, indices]) => indices);
}

test.each(PATTERNS)(
  '$name, added at one site and worked at the other, each way, are done once each',
  async (pattern) => {
    const { east, west } = pair;
    const all = Array.from({ length: JOBS }, (_, index) => index);
    const wanted = all.flatMap((index) => (pattern.first?.(index) === 'lost' ? [index, index] : [index]));
    const lane = pattern.lane ?? (() => 0);
    const ways = [
      { pattern, queue: `${pattern.name} there`.replaceAll(/\W+/g, '_'), from: east, to: west },
      { pattern, queue: `${pattern.name} back`.replaceAll(/\W+/g, '_'), from: west, to: east },
    ];
    const worked = await workAll(ways);
    for (const [at, runs] of worked.entries()) {
      expect(runs.toSorted((one, other) => one - other)).toEqual(wanted);
      expect(lanesOf(runs, lane)).toEqual(lanesOf(all, lane));
      for (const { redis } of [east, west]) {
        const { finished, ...others } = await pattern.library.counts(redis, ways[at]!.queue);
        expect({ finished, left: Object.entries(others).filter(([, count]) => count > 0) }).toEqual({
          finished: JOBS,
          left: [],
        });
      }
    }
    await expectEqual(east.redis, west.redis);
  },
  300_000,
);
