import { afterEach, expect, test } from 'vitest';
import { scriptSource } from '../../src/lua/scripts.js';
import { expectEqual } from '../support/equal.js';
import { type Pair, startPair } from '../support/pair.js';
import { quiet } from '../support/quiet.js';
import { until, within } from '../support/wait.js';
import { QUICK, expectNothingWaits, ownKeys } from './observe.js';
import { StepProxy } from './step-proxy.js';

const KEYS = ownKeys();

let pair: Pair | undefined;
let proxy: StepProxy | undefined;

afterEach(async () => {
  await pair?.close();
  await proxy?.close();
});

test('killed between a run that failed in part and the list of what failed: the whole batch is listed, applied once, and the link goes on', async () => {
  proxy = await StepProxy.start();
  const local = proxy;
  pair = await startPair({ env: QUICK, west: { localUrl: (server) => local.urlTo(server) } });
  const { east, west } = pair;
  // Only at west, and no stream tells of it: the push is refused there.
  await west.redis.eval("redis.set_repl(redis.REPL_NONE) redis.call('SET', KEYS[1], 'x')", 1, 'string');
  const held = local.hold((args) => args[1]?.toString('utf8') === scriptSource('reject-commands'));
  await east.redis.multi().incr('counter').rpush('string', 'refused').incr('counter').exec();
  await within('the list of what failed to be held', 10_000, held);
  await west.kill();
  expect(Number(await west.redis.hget(KEYS.applied, 'suspect'))).toBeGreaterThan(0);
  expect(await west.redis.xlen(KEYS.rejected)).toBe(0);
  await west.redis.del(KEYS.lease);
  west.start();
  await quiet(pair);
  expect(await west.redis.get('counter')).toBe('2');
  expect(await west.redis.hexists(KEYS.applied, 'suspect')).toBe(0);
  const [[, fields]] = (await west.redis.xrange(KEYS.rejected, '-', '+')) as [[string, string[]]];
  expect(fields).toContain('BATCH');
  await east.redis.del('string');
  await until('the key to be the same again', async () => (await west.redis.exists('string')) === 0);
  await quiet(pair);
  await expectEqual(east.redis, west.redis);
  await expectNothingWaits(pair);
});
