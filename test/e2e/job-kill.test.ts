import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { JobClient } from '../../src/jobs/job-client.js';
import { createLogger } from '../../src/log/log.js';
import { keyNames } from '../../src/redis/keys.js';
import { dieWithThisProcess } from '../support/children.js';
import { type TestServer, startServer } from '../support/server.js';
import { until } from '../support/wait.js';

const PROGRAM = join(dirname(fileURLToPath(import.meta.url)), 'job-program.mjs');
const STEPS = 150;
const KILLS = 3;

let server: TestServer;
let redis: Redis;

beforeAll(async () => {
  server = await startServer();
  redis = server.client();
});

afterAll(() => server.stop());

function startProcess(number: number): ChildProcess {
  const child = spawn(process.execPath, [PROGRAM, server.url, String(number)], { stdio: 'ignore' });
  dieWithThisProcess(child);
  return child;
}

test('a job goes on from its checkpoint within seconds when its process is killed', async () => {
  const log = createLogger({
    pair: 'test',
    site: 'east',
    logLevel: 'silent',
    logPretty: 'never',
    logData: false,
  });
  const client = new JobClient({ client: redis, keys: keyNames({ prefix: 'tandem', pair: 'test' }), log });
  const id = await client.add('count', { steps: STEPS }, { attempts: 1 });
  const away: number[] = [];
  let child = startProcess(0);
  for (let number = 1; number <= KILLS; number++) {
    await until('some steps', async () => {
      const last = (await redis.lrange('steps', -10, -1)).filter((step) => step.startsWith(`${number - 1}:`));
      return last.length === 10;
    });
    child.kill('SIGKILL');
    await once(child, 'close');
    const killedAt = Date.now();
    child = startProcess(number);
    await until('the next process to go on', async () =>
      (await redis.lindex('steps', -1))?.startsWith(`${number}:`),
    );
    away.push(Date.now() - killedAt);
  }
  const job = await client.follow(id, () => {}, AbortSignal.timeout(20_000));
  child.kill('SIGKILL');
  await once(child, 'close');
  await client.close();

  expect(job).toMatchObject({ state: 'completed', attempts: 1, result: 'counted' });
  for (const ms of away) expect(ms).toBeLessThan(5000);
  const steps = (await redis.lrange('steps', 0, -1)).map((step) => Number(step.split(':')[1]));
  // None is left out, and each process repeats at the most the step whose checkpoint was not saved.
  expect(new Set(steps).size).toBe(STEPS);
  expect(steps.length).toBeLessThanOrEqual(STEPS + KILLS);
});
