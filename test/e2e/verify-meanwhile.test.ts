import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Pair, type Site, startPair } from '../support/pair.js';
import { quiet } from '../support/quiet.js';
import { until } from '../support/wait.js';
import { jobOf, settingsOf, verifyAt } from './long-jobs.js';
import { LONG_BACKLOG, QUICK, ownKeys, statusOf } from './observe.js';
import { runCli } from './run-cli.js';

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

/** Increments a key of one site by what its peer never hears of. */
async function missOut(site: Site, key: string, amount: number): Promise<void> {
  await site.redis.eval(
    "redis.set_repl(redis.REPL_NONE) redis.call('INCRBY', KEYS[1], ARGV[1])",
    1,
    key,
    amount,
  );
}

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

test('a key that is equal only because of what the asking site has not heard of is found', async () => {
  const { east, west } = pair;
  await east.redis.set('sum', 10);
  await quiet(pair);
  await missOut(east, 'sum', 3);
  expect((await runCli(['pause', 'outbound'], settingsOf(pair, west))).code).toBe(0);
  await until('west to keep its changes', async () => (await statusOf(west)).outbound.state === 'paused');
  await west.redis.incrby('sum', 3);
  const verifying = verifyAt(pair, east, '--pattern', 'sum');
  // The increment, and behind it the answer, which was given when both values were 13.
  await until('west to have answered', async () => (await west.redis.llen(ownKeys().changes)) >= 2);
  expect((await runCli(['resume', 'outbound'], settingsOf(pair, west))).code).toBe(0);
  const { result } = await verifying;
  expect(result).toMatchObject({ compared: 1, differing: 1, undecided: 0, byKind: { value: 1 } });
});

test('a key that is written all the time cannot be told, and is left alone; one that is never changed by it is equal', async () => {
  const { east, west } = pair;
  await west.redis.mset('busy:beacon', 1, 'busy:sum', 10);
  await quiet(pair);
  await missOut(west, 'busy:sum', 3);
  const ended = new AbortController();
  const writing = (async () => {
    while (!ended.signal.aborted) await west.redis.multi().set('busy:beacon', 1).incrby('busy:sum', 1).exec();
  })();
  const about = ['--pattern', 'busy:*', '--repair', '--prefer', 'east'];
  const { result } = await verifyAt(pair, east, ...about);
  ended.abort();
  await writing;
  expect(result).toMatchObject({ compared: 2, equal: 1, differing: 0, undecided: 1 });
  await quiet(pair);
  const { result: quietResult } = await verifyAt(pair, east, ...about);
  expect(quietResult).toMatchObject({ compared: 2, equal: 1, differing: 1, repaired: 1, undecided: 0 });
});
