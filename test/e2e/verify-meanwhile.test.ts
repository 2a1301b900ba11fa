import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Pair, startPair } from '../support/pair.js';
import { quiet } from '../support/quiet.js';
import { until } from '../support/wait.js';
import { jobOf, verifyAt } from './long-jobs.js';
import { LONG_BACKLOG, QUICK } from './observe.js';

/** Slow enough that something can be written in the middle of a comparison. */
const KEYS_PER_SECOND = 1000;
const KEYS = 3000;
const PARTS = 30;

let pair: Pair;

beforeAll(async () => {
  const env = { ...QUICK, TANDEM_SYNC_KEYS_PER_SECOND: String(KEYS_PER_SECOND) };
  pair = await startPair({ server: LONG_BACKLOG, env });
});
afterAll(() => pair.close());

test('a key that only the other site had, and that is written here while the sites are compared, is found', async () => {
  const { east, west } = pair;
  const filling = east.redis.pipeline();
  for (let i = 0; i < KEYS; i++) filling.set(`key:${i}`, i);
  await filling.exec();
  await quiet(pair);
  const plant = "redis.set_repl(redis.REPL_NONE) redis.call('HSET', KEYS[1], 'old', 1)";
  for (let i = 0; i < PARTS; i++) await west.redis.eval(plant, 1, `part:${i}`);
  const from = east.log.length;
  const verifying = verifyAt(pair, east);
  const { job } = await east.waitForLog('a job begins', { from });
  await until('half of the keys to be compared', async () => {
    const progress = (await jobOf(east, String(job)))?.progress as { done?: number } | undefined;
    return (progress?.done ?? 0) > KEYS / 2;
  });
  for (let i = 0; i < PARTS; i++) await east.redis.hset(`part:${i}`, 'new', 2);
  const { result } = await verifying;
  expect(result.differences.map(({ key }) => key).toSorted()).toEqual(
    Array.from({ length: PARTS }, (_, i) => `part:${i}`).toSorted(),
  );
});
