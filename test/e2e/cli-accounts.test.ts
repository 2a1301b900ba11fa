import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadConfig } from '../../src/config/config.js';
import { ControlPlane, type Task } from '../../src/jobs/jobs.js';
import { TandemError } from '../../src/errors.js';
import { createLogger } from '../../src/log/log.js';
import { keyNames } from '../../src/redis/keys.js';
import { localAclRule, peerAclRule } from '../../src/preflight/rights.js';
import { untilAborted } from '../support/jobs.js';
import { type Pair, startPair } from '../support/pair.js';
import type { TestServer } from '../support/server.js';
import { until } from '../support/wait.js';
import { runCli, startCli } from './run-cli.js';

/** The rules that `tandem check` advises, and nothing beyond them. */
const keys = keyNames({ prefix: 'tandem', pair: 'test' });
const server = {
  aclLines: [`user own on >sesame ${localAclRule()}`, `user other on >sesame ${peerAclRule(keys)}`],
};
const urls = {
  localUrl: (own: TestServer): string => own.urlFor('own', 'sesame'),
  peerUrl: (own: TestServer): string => own.urlFor('other', 'sesame'),
};

let pair: Pair;
beforeAll(async () => {
  pair = await startPair({ server, east: urls, west: urls, env: { TANDEM_VERIFY_CRON: '0 3 * * *' } });
});
afterAll(() => pair.close());

describe('a pair whose accounts have the advised rights alone', () => {
  it('replicates every kind of data both ways', async () => {
    const { east, west } = pair;
    await east.redis.set('string', '1');
    await east.redis.hset('hash', 'f', 'v');
    await east.redis.multi().rpush('list', 'a', 'b').sadd('set', 'm').zadd('zset', 1, 'm').exec();
    await west.redis.xadd('stream', '1-1', 'f', 'v');
    await west.redis.pfadd('hll', 'a');
    await west.redis.eval(
      "redis.call('SET', KEYS[1], 'x', 'EX', 100) redis.call('INCR', KEYS[2])",
      2,
      'expiring',
      'counter',
    );
    await until(
      'west to have it all',
      async () => (await west.redis.exists('string', 'hash', 'list', 'set', 'zset')) === 5,
    );
    await until(
      'east to have it all',
      async () => (await east.redis.exists('stream', 'hll', 'expiring', 'counter')) === 4,
    );
  });

  it('does and steers jobs', async () => {
    const url = pair.east.server.urlFor('own', 'sesame');
    const env = {
      TANDEM_PAIR: pair.name,
      TANDEM_SITE: 'east',
      TANDEM_PEER: 'west',
      TANDEM_LOCAL_URL: url,
      TANDEM_PEER_URL: pair.west.server.url,
    };
    const config = loadConfig({ env });
    const end = new AbortController();
    const log = createLogger({ ...config, logLevel: 'silent' });
    let attempts = 0;
    const work: Task = async ({ save, progress }) => {
      await save({ cursor: 1 });
      await progress({ done: 1 });
      if (++attempts === 1) throw new TandemError('TIMEOUT', 'once');
    };
    const plane = new ControlPlane({ config, keys, log, tasks: { work, wait: untilAborted } });
    const over = plane.run(end.signal);
    await plane.add('work', {}, { id: 'one' });
    await plane.add('wait', {}, { id: 'two' });
    const list = async (): Promise<string> => (await runCli(['jobs'], env)).stdout;
    await until('both jobs to begin', async () => /two +active/.test(await list()));
    for (const args of [['pause'], ['resume'], ['cancel', 'two']])
      expect(await runCli(['jobs', ...args], env)).toMatchObject({ code: 0, stderr: '' });
    await until('both jobs to end', async () => /two +failed[^]*one +completed/.test(await list()));
    const json = await runCli(['jobs', 'list', '--json'], env);
    const { paused, jobs } = JSON.parse(json.stdout) as {
      paused: boolean;
      jobs: { task: string; state: string }[];
    };
    expect(paused).toBe(false);
    expect(jobs.map(({ task, state }) => `${task} ${state}`).toSorted()).toEqual([
      'first-copy completed',
      'verify delayed',
      'wait failed',
      'work completed',
    ]);
    expect(await runCli(['jobs', 'retry', 'two'], env)).toMatchObject({
      code: 0,
      stdout: 'two is tried again.\n',
    });
    await until('the job to begin again', async () => /two +active/.test(await list()));
    expect(await runCli(['jobs', 'retry', 'two'], env)).toMatchObject({ code: 1 });
    const watching = startCli(['jobs', 'watch', 'two'], env);
    expect(await runCli(['jobs', 'cancel', 'two'], env)).toMatchObject({ code: 0 });
    expect(await watching.ended()).toMatchObject({ code: 1, stdout: 'two  failed: cancelled\n' });
    expect(await runCli(['jobs', 'watch', 'one'], env)).toMatchObject({
      code: 0,
      stdout: 'one  completed\n',
    });
    expect(await runCli(['jobs', 'watch'], env)).toMatchObject({ code: 0, stdout: '' });
    expect(await runCli(['jobs', 'watch', 'three'], env)).toMatchObject({ code: 1 });
    expect(await runCli(['jobs', 'cancel', 'three'], env)).toMatchObject({ code: 1 });
    expect(await runCli(['jobs', 'cancel'], env)).toMatchObject({ code: 2 });
    expect(plane.status.faults).toBe(0);
    end.abort();
    await over;
  });

  it('is refused nothing', async () => {
    for (const { redis } of [pair.east, pair.west]) expect(await redis.call('ACL', 'LOG')).toEqual([]);
  });
});
