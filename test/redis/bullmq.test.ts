import { readFileSync, readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { JobQueue } from '../../src/jobs/bullmq/job-queue.js';
import { JobWorker } from '../../src/jobs/bullmq/job-worker.js';
import { connectClient } from '../../src/redis/connect.js';
import { JobsBench } from '../support/jobs.js';
import { SILENT, tandemClient } from '../support/tandem-clients.js';

/** The version whose keys and fields `src/jobs/bullmq/`, and the scripts in `src/lua/jobs/`, were held against. */
const KNOWN_VERSION = '6.7.0';
const KIND = 'copy';

const bench = new JobsBench();

/** A queue and a worker of one kind, on a connection of their own. */
async function withKind(use: (kind: { queue: JobQueue; worker: JobWorker }) => Promise<void>): Promise<void> {
  const client = tandemClient({ url: bench.server.url, commandTimeoutMs: 20_000 });
  await connectClient(client);
  const options = { client, keys: bench.keys, kind: KIND, log: SILENT };
  const queue = await JobQueue.open({ ...options, describes: true });
  const worker = await JobWorker.open(options);
  try {
    await use({ queue, worker });
  } finally {
    client.disconnect();
    await Promise.allSettled([queue.close(), worker.close()]);
  }
}

const key = (...parts: string[]): string => `${bench.keys.jobsPrefix}${[KIND, ...parts].join(':')}`;

test('the version of BullMQ is the one whose keys are known', () => {
  const found = createRequire(import.meta.url).resolve('bullmq');
  const root = found.slice(0, found.lastIndexOf(join('node_modules', 'bullmq')));
  const { version } = JSON.parse(
    readFileSync(join(root, 'node_modules', 'bullmq', 'package.json'), 'utf8'),
  ) as { version: string };
  expect(version).toBe(KNOWN_VERSION);
});

test('only one folder knows BullMQ', () => {
  const sources = readdirSync('src', { recursive: true })
    .map((file) => join('src', String(file)))
    .filter((file) => file.endsWith('.ts'));
  const knowing = sources.filter((file) =>
    /from 'bullmq'|import\('bullmq'\)/.test(readFileSync(file, 'utf8')),
  );
  expect(knowing.length).toBeGreaterThan(1);
  expect(knowing.filter((file) => !file.startsWith('src/jobs/bullmq/'))).toEqual([]);
});

test('a job at work is in the list of active jobs, with a lock that the scripts look at', async () => {
  await withKind(async ({ queue, worker }) => {
    await queue.add({}, { id: 'one' });
    const job = await worker.next();
    expect(job?.id).toBe('one');
    expect(await bench.redis.lrange(key('active'), 0, -1)).toEqual(['one']);
    const token = await bench.redis.get(key('one', 'lock'));
    expect(token).toMatch(/^[\da-f-]{36}$/);
    expect(await job!.save({ at: 1 })).toBe(true);
    expect(await job!.checkpoint()).toEqual({ at: 1 });
    await bench.redis.set(key('one', 'lock'), 'of another process');
    expect(await job!.save({ at: 2 })).toBe(false);
    expect(await job!.keepLock()).toBe(false);
  });
});

test('jobs that are taken back count the death that BullMQ counts, until a checkpoint shows that they move', async () => {
  await withKind(async ({ queue, worker }) => {
    await queue.add({}, { id: 'one' });
    await worker.next();
    expect(await worker.reclaim(undefined)).toEqual(['one']);
    expect(await bench.redis.hget(key('one'), 'stc')).toBe('1');
    const again = await worker.next();
    expect([again?.id, again?.deaths]).toEqual(['one', 1]);
    await again!.save(null);
    expect(await bench.redis.hexists(key('one'), 'stc')).toBe(0);
    // Its mark of the last check would hold the next one up.
    expect(await worker.reclaim(undefined)).toEqual(['one']);
    expect((await worker.next())?.deaths).toBe(1);
  });
});
