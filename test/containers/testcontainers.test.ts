import { afterAll, beforeAll, expect, test } from 'vitest';
import { expectEqual } from '../support/equal.js';
import { findServer } from '../support/find-server.js';
import { type Pair, startPair } from '../support/pair.js';
import { quiet } from '../support/quiet.js';
import { startServer } from '../support/server.js';
import { until } from '../support/wait.js';

/** Without a program of this machine the tests take their servers from an image. */
const { PATH, TANDEM_TEST_REDIS } = process.env;
let pair: Pair;

beforeAll(async () => {
  process.env['PATH'] = '';
  delete process.env['TANDEM_TEST_REDIS'];
  expect(await findServer()).toEqual({ kind: 'image', image: 'redis:7' });
  pair = await startPair();
});
afterAll(async () => {
  await pair.close();
  process.env['PATH'] = PATH;
  if (TANDEM_TEST_REDIS !== undefined) process.env['TANDEM_TEST_REDIS'] = TANDEM_TEST_REDIS;
});

test('a pair works between servers in containers, and a killed one comes back', async () => {
  const { east, west } = pair;
  await east.redis.multi().set('key', 'x').incr('counter').exec();
  await west.redis.incr('counter');
  await quiet(pair);
  await expectEqual(east.redis, west.redis);
  await west.server.kill();
  await west.server.start();
  await quiet(pair, { deadlineMs: 60_000 });
  expect(await east.redis.get('key')).toBe('x');
});

test('a server in a container is paused, resumed, ended in order and started again on its port', async () => {
  const server = await startServer({ config: { appendonly: 'yes' } });
  try {
    const redis = server.client();
    await redis.set('key', 'x');
    await server.pause();
    const answer = redis.get('key');
    await expect(Promise.race([answer, until('nothing', () => false, { deadlineMs: 300 })])).rejects.toThrow(
      'nothing',
    );
    await server.resume();
    expect(await answer).toBe('x');
    await server.restart();
    expect(await redis.get('key')).toBe('x');
  } finally {
    await server.stop();
  }
});
