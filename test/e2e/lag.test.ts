import { afterEach, beforeEach, expect, test } from 'vitest';
import { runCli } from './run-cli.js';
import { settingsOf } from './long-jobs.js';
import { ownKeys, statusOf } from './observe.js';
import { type Pair, startPair } from '../support/pair.js';
import { until } from '../support/wait.js';

let pair: Pair;
beforeEach(async () => {
  pair = await startPair({ env: { TANDEM_STATUS_INTERVAL_MS: '1000' } });
});
afterEach(() => pair.close());

/** More than an inbox keeps in memory. */
const WRITES = 110;
const VALUE = 'x'.repeat(100_000);
const WAITS_MS = 1000;

test('what waits is told: how much, in memory or not, and for how long, at both sites; caught up is only where nothing does', async () => {
  const { east, west } = pair;
  const settings = {
    TANDEM_PAIR: pair.name,
    TANDEM_SITE: 'west',
    TANDEM_PEER: 'east',
    TANDEM_LOCAL_URL: west.server.url,
    TANDEM_PEER_URL: east.server.url,
  };
  expect((await runCli(['pause', 'inbound'], settings)).code).toBe(0);
  await until('the pause', async () => (await statusOf(west)).inbound.state === 'paused');
  const before = (await statusOf(east)).capture.changesTotal;
  const writtenAt = Date.now();
  for (let i = 0; i < WRITES; i++) await east.redis.set(`key:${i}`, VALUE);
  await until('all to be delivered', async () => {
    const { outbound, capture } = await statusOf(east);
    return outbound.deliveredSequence === capture.nextSequence - 1;
  });
  await until('it to have waited', () => Date.now() - writtenAt > 2 * WAITS_MS);

  const [out, back] = [await statusOf(east), await statusOf(west)];
  expect(out.outbound.state, 'delivered is not applied').toBe('streaming');
  expect(out.outbound.lagMs).toBeGreaterThan(WAITS_MS);
  expect(out.capture.changesTotal - before).toBe(WRITES);
  const waiting = await west.redis.llen(ownKeys().inbox);
  expect(back.inbound).toMatchObject({ state: 'paused', inboxBatches: waiting });
  expect(back.inbound.inboxBytes).toBe(Number(await west.redis.hget(ownKeys().received, 'bytes')));
  expect(back.inbound.inboxBytes).toBeGreaterThan(WRITES * VALUE.length);
  expect(back.inbound.receivedSequence).toBe(out.capture.nextSequence - 1);
  expect(back.inbound.lagMs).toBeGreaterThan(WAITS_MS);
  const metrics = await (await fetch(`${west.httpUrl}/metrics`, { headers: { connection: 'close' } })).text();
  const lag = /^tandem_lag_seconds\{direction="inbound"\} (.*)$/m.exec(metrics)?.[1];
  expect(Number(lag) * 1000).toBeGreaterThan(WAITS_MS);
  await west.waitForLog(
    ({ msg, direction, lagMs }) =>
      msg === 'status' && direction === 'east to west' && Number(lagMs) > WAITS_MS,
  );

  // A new process finds the same.
  await west.kill();
  west.start();
  await until('the pause to be known again', async () => {
    const status = await statusOf(west).catch(() => undefined);
    // On a busy machine east's first copy may begin, and ask, only now.
    const waitingNow = await west.redis.llen(ownKeys().inbox);
    expect(waitingNow).toBeGreaterThanOrEqual(waiting);
    return status?.inbound.state === 'paused' && status.inbound.inboxBatches === waitingNow;
  });
  expect((await statusOf(west)).inbound.lagMs).toBeGreaterThan(WAITS_MS);

  expect((await runCli(['resume', 'inbound'], settings)).code).toBe(0);
  await until('both to be caught up', async () => {
    const [{ outbound }, { inbound }] = [await statusOf(east), await statusOf(west)];
    return outbound.state === 'caught-up' && inbound.state === 'caught-up';
  });
  const [{ outbound }, { inbound }] = [await statusOf(east), await statusOf(west)];
  expect([outbound.lagMs, outbound.changeListBatches]).toEqual([0, 0]);
  expect([inbound.lagMs, inbound.inboxBatches, inbound.inboxBytes]).toEqual([0, 0, 0]);
  expect(await west.redis.exists(`key:${WRITES - 1}`)).toBe(1);
}, 40_000);

test('tandem lag does not call a direction up to date that is paused, at either site, and says so', async () => {
  const { east, west } = pair;
  const settings = settingsOf(pair, east);
  const args = ['lag', '--max', '1m'];
  await until('both to be caught up', async () => (await runCli(args, settings)).code === 0);
  expect((await runCli(['pause', 'outbound'], settingsOf(pair, west))).code).toBe(0);
  const found = await until('the pause to be told', async () => {
    const told = await runCli(args, settings);
    return told.code === 1 ? told : undefined;
  });
  expect(found.stdout).toMatch(/^east → west {2}\d+ ms$/m);
  expect(found.stdout).toMatch(/^west → east {2}unknown: paused at west$/m);
  expect(found.stderr).toBe('west → east: paused at west\n');
  const { inbound } = JSON.parse((await runCli(['lag', '--json'], settings)).stdout) as Record<
    string,
    unknown
  >;
  expect(inbound).toEqual({ direction: 'west → east', lagMs: null, reason: 'paused at west' });
  // Of the other side, where it was paused.
  expect((await runCli(args, settingsOf(pair, west))).stdout).toMatch(
    /^west → east {2}unknown: paused since 20\d\d-/m,
  );
  const metrics = await (await fetch(`${east.httpUrl}/metrics`, { headers: { connection: 'close' } })).text();
  expect(metrics).not.toContain('tandem_lag_seconds{direction="inbound"}');
  expect((await runCli(['resume'], settingsOf(pair, west))).code).toBe(0);
  await until('both to be caught up', async () => (await runCli(args, settings)).code === 0);
}, 60_000);

test('the changes that were captured are counted from 0 by each process, and go on when it begins again', async () => {
  const { east } = pair;
  const before = (await statusOf(east)).capture.changesTotal;
  expect(before).toBeLessThan(10_000);
  for (let i = 0; i < 5; i++) await east.redis.incr('n');
  const counted = async (): Promise<number> => (await statusOf(east)).capture.changesTotal - before;
  await until('them to be counted', async () => (await counted()) === 5);
  const from = east.log.length;
  await east.redis.call('CLIENT', 'KILL', 'TYPE', 'replica');
  await east.waitForLog('work at the local Redis failed: beginning again', { from });
  await east.waitForLog('reading the replication stream', { from });
  for (let i = 0; i < 5; i++) await east.redis.incr('n');
  await until('all to be counted', async () => (await counted()) >= 10);
  expect(await counted()).toBe(10);
}, 30_000);
