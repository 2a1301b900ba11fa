import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { loadConfig } from '../../src/config/config.js';
import { JobClient } from '../../src/jobs/job-client.js';
import type { Task } from '../../src/jobs/jobs.js';
import { createLogger } from '../../src/log/log.js';
import { Site } from '../../src/site/site.js';
import { killConnections, untilAborted } from '../support/jobs.js';
import { type Pair, startPair } from '../support/pair.js';
import { until } from '../support/wait.js';
import { LONG_BACKLOG, QUICK, ownKeys } from './observe.js';

const KEYS = ownKeys();

/** A task that writes what tasks write: checkpoints, progress, a result. */
const work: Task = async ({ save, progress, signal }) => {
  for (let step = 0; step < 20; step++) {
    signal.throwIfAborted();
    await save({ step, text: 'x'.repeat(200) });
    await progress({ done: step, total: 20 });
  }
  return 'done';
};

let pair: Pair;
let site: Site;
let client: JobClient;
let log: { level: string; msg: string }[] = [];
let end: AbortController;
let over: Promise<void>;

/** East's process is this one, so that it can have tasks of the test's own. */
beforeEach(async () => {
  pair = await startPair({ env: QUICK, server: LONG_BACKLOG, start: false });
  const { east, west } = pair;
  west.start();
  const config = loadConfig({
    env: {
      ...QUICK,
      TANDEM_PAIR: pair.name,
      TANDEM_SITE: 'east',
      TANDEM_PEER: 'west',
      TANDEM_LOCAL_URL: east.server.url,
      TANDEM_PEER_URL: west.server.url,
    },
  });
  log = [];
  const write = (line: string): void => void log.push(JSON.parse(line) as (typeof log)[number]);
  const logger = createLogger({ ...config, logLevel: 'info', logPretty: 'never' }, { write });
  end = new AbortController();
  site = new Site({ config, log: logger, moreTasks: { work, wait: untilAborted } });
  over = site.run(end.signal);
  client = new JobClient({ client: east.redis, keys: KEYS, log: logger });
  await until('both directions to flow', async () => {
    await east.redis.incr('from-east');
    await west.redis.incr('from-west');
    return (await west.redis.exists('from-east')) + (await east.redis.exists('from-west')) === 2;
  });
  for (const { redis, name } of [east, west])
    await until(`the first copy of ${name}`, () => redis.hexists(KEYS.state, 'copied'));
});

afterEach(async () => {
  end.abort();
  await over;
  await client.close();
  await pair.close();
});

/** Resolves when what was written at east before it has crossed. */
async function crossed(name: string): Promise<void> {
  await pair.east.redis.set(`crossed:${name}`, '1');
  await until(`${name} to cross`, async () => pair.west.redis.exists(`crossed:${name}`));
}

/** The site's own job, done before. */
const FIRST_COPY = 1;

test('nothing that jobs write reaches the peer, or counts as a change', async () => {
  const { east, west } = pair;
  await crossed('before');
  await until('the change list to be empty', async () => (await east.redis.llen(KEYS.changes)) === 0);
  const before = site.status();
  const ids = await Promise.all(Array.from({ length: 20 }, async () => client.add('work', {})));
  await client.pause();
  await client.resume();
  const cancelled = await client.add('wait', {});
  await until('a job to wait', async () => (await client.get(cancelled))?.state === 'active');
  await client.cancel(cancelled);
  const all = await Promise.all(
    [...ids, cancelled].map(async (id) => client.follow(id, () => {}, AbortSignal.timeout(10_000))),
  );
  expect(new Set(all.map(({ state }) => state))).toEqual(new Set(['completed', 'failed']));
  await until(
    'capture to have read it all',
    () => site.status().capture.commandsTotal > before.capture.commandsTotal,
  );
  await pause(300);
  const after = site.status();
  expect(after.outbound.changesTotal - before.outbound.changesTotal).toBe(0);
  expect(after.capture.nextSequence - before.capture.nextSequence).toBe(0);
  expect(after.capture.unknownTotal).toBe(0);
  await crossed('after');
  expect(await west.redis.keys(`${KEYS.jobsPrefix}work:*`)).toEqual([]);
  expect(await east.redis.keys(`${KEYS.jobsPrefix}work:*`)).not.toEqual([]);
  await until('the jobs to be counted', () => {
    const { completed, failed, active } = site.status().jobs;
    return completed === ids.length + FIRST_COPY && failed === 1 && active === 0;
  });
  expect(site.status().jobs.faults).toBe(0);
});

test('changes cross while the keys of jobs are broken and their connections are closed again and again', async () => {
  const { east, west } = pair;
  await client.follow(await client.add('work', {}), () => {}, AbortSignal.timeout(10_000));
  for (const key of await east.redis.keys(`${KEYS.jobsPrefix}*`)) await east.redis.set(key, 'broken');
  const lags: number[] = [];
  const write = async (from: typeof east, to: typeof west, key: string): Promise<void> => {
    const writtenAt = performance.now();
    await from.redis.set(key, 'x');
    await until(`${key} to cross`, async () => to.redis.exists(key), { deadlineMs: 2000 });
    lags.push(performance.now() - writtenAt);
  };
  for (let i = 0; i < 60; i++) {
    await killConnections(east.redis, 'tandem:east:jobs');
    await write(east, west, `east:${i}`);
    await write(west, east, `west:${i}`);
    await pause(20);
  }
  const { jobs, outbound, inbound } = site.status();
  expect(jobs.faults).toBeGreaterThan(5);
  expect([outbound.state, inbound.state]).not.toContain('backing-off');
  expect(log.map(({ msg }) => msg)).not.toContain('work at the local Redis failed: beginning again');
  expect(Math.max(...lags)).toBeLessThan(1000);

  await east.redis.del(...(await east.redis.keys(`${KEYS.jobsPrefix}*`)));
  const job = await client.follow(await client.add('work', {}), () => {}, AbortSignal.timeout(10_000));
  expect(job).toMatchObject({ state: 'completed' });
});

test('a site that stops leaves its job waiting, and the attempt does not count', async () => {
  const id = await client.add('wait', {}, { attempts: 1 });
  await until('the job to begin', async () => (await client.get(id))?.state === 'active');
  const from = Date.now();
  end.abort();
  await over;
  expect(Date.now() - from).toBeLessThan(3000);
  expect(await client.get(id)).toMatchObject({ state: 'waiting', attempts: 0 });
});

test('a new beginning of the site does not wait for a job, and the job goes on', async () => {
  const { east } = pair;
  const id = await client.add('wait', {}, { attempts: 1 });
  await until('the job to begin', async () => (await client.get(id))?.state === 'active');
  // What the site itself stands on, the replication stream: it begins again.
  await east.redis.call('CLIENT', 'KILL', 'TYPE', 'replica');
  await until('a new beginning', () =>
    log.some(({ msg }) => msg === 'work at the local Redis failed: beginning again'),
  );
  await crossed('afterwards');
  await until('the job to be at work again', async () => (await client.get(id))?.state === 'active');
  expect(await client.get(id)).toMatchObject({ attempts: 0 });
});
