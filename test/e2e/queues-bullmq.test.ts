/**
 * BullMQ with the producer at one site and the only worker at the other: each job is done once, and counted as done at both. (Jobs that
 * are tried again are put back where new ones are added: with the worker at the site of the smaller name that is a limit of docs/guide/limits.md.)
 */

import { FlowProducer, Queue, Worker, type Job, type JobsOptions, type RateLimiterOptions } from 'bullmq';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { expectEqual } from '../support/equal.js';
import { type Pair, type Site, startPair } from '../support/pair.js';
import { quiet } from '../support/quiet.js';
import { until } from '../support/wait.js';
import { LONG_BACKLOG, QUICK } from './observe.js';

const JOBS = Number(process.env['TANDEM_TEST_JOBS'] ?? 60);
const FLOWS = 15;
const TICKS = 8;

let pair: Pair;

beforeAll(async () => {
  pair = await startPair({ env: QUICK, server: LONG_BACKLOG });
}, 60_000);

afterAll(() => pair.close());

interface Kind {
  readonly name: string;
  readonly options: (index: number) => JobsOptions;
  /** Whether a job fails the first time. */
  readonly fails?: (index: number) => boolean;
  readonly limiter?: RateLimiterOptions;
}

const KINDS: readonly Kind[] = [
  { name: 'plain', options: () => ({}) },
  { name: 'delayed', options: (index) => ({ delay: 50 + (index % 10) * 30 }) },
  {
    name: 'flaky',
    options: () => ({ attempts: 3, backoff: { type: 'fixed', delay: 20 } }),
    fails: (index) => index % 5 === 2,
  },
  { name: 'with priorities', options: (index) => ({ priority: 1 + (index % 3) }) },
  { name: 'limited to a rate', options: () => ({}), limiter: { max: 10, duration: 100 } },
];

function connectionOf({ server }: Site): { host: string; port: number } {
  return { host: server.host, port: server.port };
}

/** At both sites nothing of the queue is left but the jobs that were done. */
async function expectAllCompleted(queueName: string, jobs: number): Promise<void> {
  const counts = await Promise.all(
    [pair.east, pair.west].map(async (site) => {
      const seen = new Queue(queueName, { connection: connectionOf(site) });
      const found = await seen.getJobCounts(
        'wait',
        'active',
        'delayed',
        'prioritized',
        'waiting-children',
        'completed',
        'failed',
      );
      await seen.close();
      return found;
    }),
  );
  const left = { wait: 0, active: 0, delayed: 0, prioritized: 0, 'waiting-children': 0, failed: 0 };
  const done = { ...left, completed: jobs };
  expect(counts).toEqual([done, done]);
}

test.each(
  KINDS.flatMap((kind) => {
    const there = { ...kind, from: 'east', to: 'west' } as const;
    const back = { ...kind, from: 'west', to: 'east' } as const;
    return kind.fails ? [there] : [there, back];
  }),
)(
  'jobs that are $name, added at $from and worked at $to, are done once each',
  async ({ name, options, fails, limiter, from, to }) => {
    const queueName = `${name} ${from}`;
    const queue = new Queue(queueName, { connection: connectionOf(pair[from]) });
    const runs = new Map<string, number>();
    const worker = new Worker(
      queueName,
      async (job) => {
        const times = (runs.get(job.id!) ?? 0) + 1;
        runs.set(job.id!, times);
        if (times === 1 && fails?.(Number(job.name))) throw new Error('not yet');
        await Promise.resolve();
      },
      {
        connection: { ...connectionOf(pair[to]), maxRetriesPerRequest: null },
        concurrency: 2,
        drainDelay: 1,
        ...(limiter ? { limiter } : {}),
      },
    );
    const errors: string[] = [];
    worker.on('error', (error) => errors.push(error.message));
    try {
      for (let index = 0; index < JOBS; index++) {
        await queue.add(String(index), { index }, options(index));
        await sleep(8);
      }
      await until('all jobs to be done', async () => (await queue.getCompletedCount()) >= JOBS, {
        deadlineMs: 30_000,
      });
    } finally {
      await Promise.all([worker.close(), queue.close()]);
      await quiet(pair, { deadlineMs: 20_000 });
    }
    const expected = Array.from({ length: JOBS }, (_, index) => (fails?.(index) ? 2 : 1));
    expect([...runs].toSorted(([a], [b]) => Number(a) - Number(b)).map(([, times]) => times)).toEqual(
      expected,
    );
    expect(errors).toEqual([]);
    await expectAllCompleted(queueName, JOBS);
  },
  60_000,
);

/** The only worker of a queue: keeps each run of a job. */
class Works {
  readonly runs: string[] = [];
  readonly errors: string[] = [];
  readonly #worker: Worker;

  constructor(queueName: string, at: Site, perform: (job: Job) => Promise<string>) {
    this.#worker = new Worker(
      queueName,
      async (job) => {
        this.runs.push(job.id!);
        return perform(job);
      },
      {
        connection: { ...connectionOf(at), maxRetriesPerRequest: null },
        concurrency: 2,
        drainDelay: 1,
      },
    );
    this.#worker.on('error', (error) => this.errors.push(error.message));
  }

  async close(): Promise<void> {
    await this.#worker.close();
  }
}

const BOTH_WAYS = [
  { from: 'east', to: 'west' },
  { from: 'west', to: 'east' },
] as const;

const sumOf = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0);

test.each(BOTH_WAYS)(
  'flows, added at $from and worked at $to: children are done once each, and then their parent, with what they gave',
  async ({ from, to }) => {
    const [parents, children] = [`parents ${from}`, `children ${from}`];
    const flows = new FlowProducer({ connection: connectionOf(pair[from]) });
    const queue = new Queue(parents, { connection: connectionOf(pair[from]) });
    const childWorks = new Works(children, pair[to], async (job) => Promise.resolve(job.name));
    const parentWorks = new Works(parents, pair[to], async (job) =>
      String(sumOf(Object.values(await job.getChildrenValues<string>()).map(Number))),
    );
    try {
      for (let index = 0; index < FLOWS; index++) {
        await flows.add({
          name: String(index),
          queueName: parents,
          children: [1, 2, 3].map((n) => ({ name: String(index * 10 + n), queueName: children })),
        });
        await sleep(20);
      }
      await until('all parents to be done', async () => (await queue.getCompletedCount()) >= FLOWS, {
        deadlineMs: 60_000,
      });
      const given = await queue.getCompleted();
      expect(Object.fromEntries(given.map(({ name, returnvalue }) => [name, returnvalue]))).toEqual(
        Object.fromEntries(Array.from({ length: FLOWS }, (_, index) => [index, String(index * 30 + 6)])),
      );
    } finally {
      await Promise.all([childWorks.close(), parentWorks.close(), flows.close(), queue.close()]);
      await quiet(pair, { deadlineMs: 20_000 });
    }
    expect([...childWorks.errors, ...parentWorks.errors]).toEqual([]);
    expect([childWorks.runs.length, new Set(childWorks.runs).size]).toEqual([FLOWS * 3, FLOWS * 3]);
    expect([parentWorks.runs.length, new Set(parentWorks.runs).size]).toEqual([FLOWS, FLOWS]);
    await expectAllCompleted(parents, FLOWS);
    await expectAllCompleted(children, FLOWS * 3);
    await expectEqual(pair.east.redis, pair.west.redis);
  },
  300_000,
);

test.each(BOTH_WAYS)(
  'a job scheduler, made at $from and worked at $to, makes each of its jobs once, and no more than it is to',
  async ({ from, to }) => {
    const queueName = `scheduled ${from}`;
    const queue = new Queue(queueName, { connection: connectionOf(pair[from]) });
    const works = new Works(queueName, pair[to], async (job) => Promise.resolve(job.name));
    try {
      await queue.upsertJobScheduler('ticks', { every: 100, limit: TICKS }, { name: 'tick' });
      await until('all jobs to be done', async () => (await queue.getCompletedCount()) >= TICKS, {
        deadlineMs: 60_000,
      });
    } finally {
      await Promise.all([works.close(), queue.close()]);
      await quiet(pair, { deadlineMs: 20_000 });
    }
    expect(works.errors).toEqual([]);
    expect([works.runs.length, new Set(works.runs).size]).toEqual([TICKS, TICKS]);
    await expectAllCompleted(queueName, TICKS);
    await expectEqual(pair.east.redis, pair.west.redis);
  },
  300_000,
);
