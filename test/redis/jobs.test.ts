import type { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { loadConfig } from '../../src/config.js';
import { JobClient } from '../../src/control/job-client.js';
import { ControlPlane, type JobContext, type JobProgress, type Task } from '../../src/control/jobs.js';
import { TandemError } from '../../src/errors.js';
import { createLogger } from '../../src/log.js';
import { connectClient, openClient } from '../../src/redis/connect.js';
import { keyNames } from '../../src/redis/keys.js';
import { type TestServer, startServer } from '../support/server.js';
import { until } from '../support/wait.js';

const PAIR = 'test';
const KEYS = keyNames({ prefix: 'tandem', pair: PAIR });

let server: TestServer;
let redis: Redis;
let ours: Redis;
let client: JobClient;
let log: { level: string; msg: string }[] = [];
const running: (() => Promise<void>)[] = [];

beforeAll(async () => {
  server = await startServer();
  redis = server.client();
});

afterAll(() => server.stop());

beforeEach(async () => {
  await redis.flushall();
  log = [];
  ours = openClient({
    url: server.url,
    tls: configOf().tls,
    name: 'test',
    log: logger(),
    connectTimeoutMs: 1000,
    commandTimeoutMs: 5000,
  });
  await connectClient(ours);
  client = new JobClient({ client: ours, keys: KEYS, log: logger() });
});

afterEach(async () => {
  for (const stop of running.splice(0)) await stop();
  await client.close();
  ours.disconnect();
});

function configOf(env: Record<string, string> = {}): ReturnType<typeof loadConfig> {
  const urls = { TANDEM_LOCAL_URL: server.url, TANDEM_PEER_URL: 'redis://127.0.0.1:1' };
  return loadConfig({
    env: { TANDEM_PAIR: PAIR, TANDEM_SITE: 'east', TANDEM_PEER: 'west', ...urls, ...env },
  });
}

function logger(): ReturnType<typeof createLogger> {
  const write = (line: string): void => void log.push(JSON.parse(line) as (typeof log)[number]);
  return createLogger(
    { pair: PAIR, site: 'east', logLevel: 'debug', logPretty: 'never', logData: false },
    { write },
  );
}

/** A control plane at work, and how to end it. */
function start(
  tasks: Record<string, Task>,
  env: Record<string, string> = {},
): { plane: ControlPlane; stop: () => Promise<void> } {
  const plane = new ControlPlane({ config: configOf(env), keys: KEYS, log: logger(), tasks });
  const end = new AbortController();
  const over = plane.run(end.signal);
  const stop = async (): Promise<void> => {
    end.abort();
    await over;
  };
  running.push(stop);
  return { plane, stop };
}

/** Until it is told to end. */
const untilAborted: Task = ({ signal }) =>
  new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true }));

async function ended(id: string): Promise<NonNullable<Awaited<ReturnType<JobClient['get']>>>> {
  return until(`the job ${id} to end`, async () => {
    const job = await client.get(id);
    return job?.state === 'completed' || job?.state === 'failed' ? job : undefined;
  });
}

describe('a job', () => {
  test('is done, and tells its progress and its result', async () => {
    const { plane } = start({
      copy: async ({ id, data, progress }: JobContext) => {
        const half: JobProgress = { done: 1, total: 2, phase: 'half' };
        await progress(half);
        return { id, data };
      },
    });
    const id = await plane.add('copy', { from: 'west' }, { id: 'first' });
    expect(id).toBe('first');
    expect(await ended(id)).toMatchObject({
      task: 'copy',
      state: 'completed',
      attempts: 1,
      progress: { done: 1, total: 2, phase: 'half' },
      result: { id: 'first', data: { from: 'west' } },
      failure: null,
    });
  });

  test('is not added a second time while one of its id waits or is at work, and is when that has ended', async () => {
    let runs = 0;
    const ends: (() => void)[] = [];
    const { plane } = start({
      copy: async () => {
        runs++;
        await new Promise<void>((resolve) => ends.push(resolve));
      },
    });
    await client.add('copy', {}, { id: 'one' });
    await until('the job to begin', () => runs === 1);
    expect(await plane.add('copy', {}, { id: 'one' })).toBe('one');
    ends[0]!();
    await ended('one');
    await plane.add('copy', {}, { id: 'one' });
    await until('the job to begin again', () => runs === 2);
    ends[1]!();
    await ended('one');
    expect(await client.list()).toHaveLength(1);
  });

  test('that fails is tried again from its checkpoint', async () => {
    const seen: unknown[] = [];
    start({
      copy: async ({ checkpoint, save }) => {
        seen.push(checkpoint);
        if (checkpoint !== null) return 'done';
        await save({ cursor: 17 });
        throw new TandemError('UNREACHABLE', 'the peer is away');
      },
    });
    const job = await ended(await client.add('copy', {}));
    expect(job).toMatchObject({ state: 'completed', attempts: 2, result: 'done' });
    expect(seen).toEqual([null, { cursor: 17 }]);
  });

  test('is not tried again when a person has to mend something', async () => {
    start({
      copy: async () => {
        throw new TandemError('NO_PERMISSION', 'the account may not SCAN');
      },
    });
    expect(await ended(await client.add('copy', {}))).toMatchObject({
      state: 'failed',
      attempts: 1,
      failure: 'the account may not SCAN',
    });
  });
});

describe('cancelling', () => {
  test('ends a job at work, for good', async () => {
    start({ copy: untilAborted });
    const id = await client.add('copy', {});
    await until('the job to begin', async () => (await client.get(id))?.state === 'active');
    expect(await client.cancel(id)).toBe('asked');
    expect(await ended(id)).toMatchObject({ state: 'failed', failure: 'cancelled', attempts: 1 });
    expect(await client.cancel(id)).toBe('ended');
  });

  test('takes a waiting job away', async () => {
    const id = await client.add('copy', {});
    expect(await client.cancel(id)).toBe('removed');
    expect(await client.cancel(id)).toBe('unknown');
    expect(await client.list()).toEqual([]);
  });
});
