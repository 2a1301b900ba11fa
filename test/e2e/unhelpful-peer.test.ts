import { afterEach, expect, test } from 'vitest';
import { type Pair, startPair } from '../support/pair.js';
import { quiet } from '../support/quiet.js';
import { until } from '../support/wait.js';
import { QUICK, ownKeys } from './observe.js';

let pair: Pair | undefined;

afterEach(async () => {
  await pair?.close();
  pair = undefined;
});

test('a site begins to read its own stream although the Redis of its peer does not answer', async () => {
  pair = await startPair({ env: QUICK, start: false });
  const { east, west } = pair;
  await west.server.pause();
  east.start();
  await east.waitForLog('reading the replication stream', { deadlineMs: 5000 });
  await west.server.resume();
  west.start();
  await quiet(pair);
});

test('a connection to the peer on which nobody answers any more is replaced', async () => {
  pair = await startPair({ proxy: true, env: { ...QUICK, TANDEM_COMMAND_TIMEOUT_MS: '500' } });
  const { east, west } = pair;
  const name = 'name=tandem:east:courier';
  const courier = async (): Promise<string | undefined> => {
    const list = String(await west.redis.call('CLIENT', 'LIST'));
    return /^id=\d+/.exec(list.split('\n').find((line) => line.includes(name)) ?? '')?.[0];
  };
  const before = await courier();
  // While the pair was starting the courier may have backed off once already.
  const from = east.log.length;
  east.network.swallow();
  await east.redis.set('key', 'x');
  await east.waitForLog(/backing off/, { from });
  east.network.resume();
  await quiet(pair);
  expect(await until('a connection', courier)).not.toBe(before);
});

test('what the peer writes about this site does not keep it from starting', async () => {
  pair = await startPair({ env: QUICK });
  const { east } = pair;
  await east.kill('SIGTERM');
  await east.redis.hset(ownKeys().site, 'site', 'elsewhere');
  east.start();
  await quiet(pair);
  expect(await east.redis.hget(ownKeys().site, 'site')).toBe('east');
});
