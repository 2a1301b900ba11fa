/** BullMQ at 200 jobs a second, with the producer at one site and the only worker at the other, and few events kept. */

import { Queue, Worker } from 'bullmq';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Redis } from 'ioredis';
import { expectEqual } from '../support/equal.js';
import { type Pair, startPair } from '../support/pair.js';
import { quiet } from '../support/quiet.js';
import { startServer, type TestServer } from '../support/server.js';
import { until } from '../support/wait.js';
import { LONG_BACKLOG, QUICK } from './observe.js';

const JOBS = 600;
const PAUSE_MS = 5;
const EVENTS = 500;
/** Times the bytes that the same jobs cost on one server: two to three on a quiet machine, 13 on a busy one. It was more than 50 once. */
const MAX_COST = 30;

interface Place {
  readonly redis: Redis;
  readonly server: Pick<TestServer, 'host' | 'port'>;
}

let pair: Pair;

beforeAll(async () => {
  pair = await startPair({ env: QUICK, server: LONG_BACKLOG });
}, 60_000);

afterAll(() => pair.close());

async function offset(redis: Redis): Promise<number> {
  return Number(/master_repl_offset:(\d+)/.exec(await redis.info('replication'))![1]);
}

/** Adds and works the jobs. @returns bytes of the stream of the worker's server */
async function work(queueName: string, producer: Place, { redis, server }: Place): Promise<number> {
  const queue = new Queue(queueName, {
    connection: { host: producer.server.host, port: producer.server.port },
    streams: { events: { maxLen: EVENTS } },
  });
  await queue.waitUntilReady();
  // Else the worker's side would say how many events are kept.
  await until(
    'the settings of the queue to be there',
    async () => (await redis.hget(`bull:${queueName}:meta`, 'opts.maxLenEvents')) !== null,
    { deadlineMs: 10_000 },
  );
  const before = await offset(redis);
  const runs: string[] = [];
  const errors: string[] = [];
  const worker = new Worker(queueName, async (job) => Promise.resolve(void runs.push(job.id!)), {
    connection: { host: server.host, port: server.port, maxRetriesPerRequest: null },
    concurrency: 4,
    drainDelay: 1,
  });
  worker.on('error', (error) => errors.push(error.message));
  try {
    const added: Promise<unknown>[] = [];
    for (let index = 0; index < JOBS; index++) {
      added.push(queue.add(String(index), { index }));
      await sleep(PAUSE_MS);
    }
    await Promise.all(added);
    await until(
      'all jobs to be done',
      async () => (await redis.zcard(`bull:${queueName}:completed`)) >= JOBS,
      { deadlineMs: 90_000 },
    );
  } finally {
    await Promise.all([worker.close(), queue.close()]);
    await quiet(pair, { deadlineMs: 60_000 });
  }
  expect(errors).toEqual([]);
  expect([runs.length, new Set(runs).size]).toEqual([JOBS, JOBS]);
  return (await offset(redis)) - before;
}

test.each([
  { from: 'east', to: 'west' },
  { from: 'west', to: 'east' },
] as const)(
  'jobs added at $from and worked at $to are done once each, and cost some times the bytes of one server',
  async ({ from, to }) => {
    const cost = await work(`fast ${from}`, pair[from], pair[to]);
    await expectEqual(pair.east.redis, pair.west.redis);
    for (const { redis } of [pair.east, pair.west])
      expect(await redis.xlen('tandem:{test}:rejected')).toBe(0);

    const alone = await startServer();
    const replica = await startServer();
    const redis = alone.client();
    try {
      // A server without a replica has no stream.
      await replica.client().replicaof(alone.host, alone.port);
      await until('the replica to be in step', async () =>
        (await redis.info('replication')).includes('state=online'),
      );
      const place = { redis, server: alone };
      expect(cost).toBeLessThan(MAX_COST * (await work('alone', place, place)));
    } finally {
      await replica.stop();
      await alone.stop();
    }
  },
  300_000,
);
