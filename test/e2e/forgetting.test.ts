import { afterEach, expect, test } from 'vitest';
import { expectEqual } from '../support/equal.js';
import { type Pair, type PairOptions, type Site, startPair } from '../support/pair.js';
import { quiet } from '../support/quiet.js';
import { until } from '../support/wait.js';
import { settingsOf } from './long-jobs.js';
import { QUICK, expectNothingWaits, ownKeys, statusOf } from './observe.js';
import { runCli } from './run-cli.js';

/** Nothing is saved but at a SAVE, so a kill takes the server back to it. */
const FORGETFUL: PairOptions = {
  proxy: true,
  env: QUICK,
  server: { config: { save: '', appendonly: 'no' } },
};

let pair: Pair | undefined;

afterEach(async () => {
  await pair?.close();
  pair = undefined;
});

async function linked(options: PairOptions): Promise<{ running: Pair; east: Site; west: Site }> {
  pair = await startPair(options);
  return { running: pair, east: pair.east, west: pair.west };
}

async function write(site: Site, prefix: string, count: number, bytes = 1): Promise<string[]> {
  const keys = Array.from({ length: count }, (_, index) => `${prefix}:${index}`);
  const value = 'x'.repeat(bytes);
  for (const key of keys) await site.redis.set(key, value);
  return keys;
}

/** Takes the site's Redis back to its last SAVE; its process stays. */
async function forget(site: Site): Promise<void> {
  const from = site.log.length;
  await site.server.kill();
  await site.waitForLog('work at the local Redis failed: beginning again', { from });
  await site.server.start();
  await until('the server to be back', () => site.redis.ping().catch(() => undefined));
}

async function repaired(site: Site): Promise<void> {
  await until('the gap to be repaired', async () => !(await statusOf(site)).gap, { deadlineMs: 20_000 });
}

async function reading(site: Site, from: number): Promise<void> {
  await site.waitForLog('reading the replication stream', { from });
}

test('what is written after a Redis has forgotten its last writes reaches the peer, and a gap is shown', async () => {
  const { running, east, west } = await linked(FORGETFUL);
  await east.redis.save();
  await write(east, 'forgotten', 50);
  await quiet(running);
  east.network.cut();
  const from = east.log.length;
  await forget(east);
  await reading(east, from);
  const keys = await write(east, 'after', 60);
  await until('the writes to be in the change list', async () => {
    const { capture } = await statusOf(east);
    return Number(await east.redis.hget(ownKeys().state, 'next')) === capture.nextSequence;
  });
  east.network.resume();
  await quiet(running);
  expect(await west.redis.exists(...keys)).toBe(keys.length);
  expect((await statusOf(east)).capture.gaps).toBeGreaterThan(0);
});

test('a peer whose Redis has forgotten gets what comes after, and a gap is shown', async () => {
  const { running, east, west } = await linked(FORGETFUL);
  await west.redis.save();
  await write(east, 'forgotten', 50);
  await quiet(running);
  await expectNothingWaits(running);
  await forget(west);
  const keys = await write(east, 'after', 20);
  await quiet(running);
  expect(await west.redis.exists(...keys)).toBe(keys.length);
  expect((await statusOf(east)).capture.gaps).toBeGreaterThan(0);
});

test('the change list never passes its bound, however long the peer is away; the gap is shown, and repaired', async () => {
  const limit = 1024 * 1024;
  const { running, east, west } = await linked({
    ...FORGETFUL,
    env: { ...QUICK, TANDEM_CHANGES_BYTES: String(limit) },
  });
  east.network.cut();
  let largest = 0;
  for (let round = 0; round < 10; round++) {
    await write(east, `away:${round}`, 40, 10_000);
    largest = Math.max(largest, Number(await east.redis.hget(ownKeys().state, 'bytes')));
  }
  await east.waitForLog(/reached its bound/);
  expect(largest).toBeGreaterThan(0);
  expect(largest).toBeLessThanOrEqual(limit);
  east.network.resume();
  await write(east, 'back', 20);
  await quiet(running);
  expect((await statusOf(east)).capture.gaps).toBeGreaterThan(0);
  await repaired(east);
  expect(await west.redis.get('back:0')).toBe('x');
  expect(await west.redis.strlen('away:0:0')).toBe(10_000);
  await expectEqual(east.redis, west.redis);
  await expectNothingWaits(running);
});

test('a change list deleted by hand costs nothing: what is missing by it is repaired, and what follows crosses', async () => {
  const { running, east, west } = await linked(FORGETFUL);
  east.network.cut();
  const deleted = await write(east, 'deleted', 20);
  await until('the change list to hold them', async () => (await east.redis.llen(ownKeys().changes)) > 0);
  await east.redis.del(ownKeys().changes);
  await write(east, 'after', 20);
  east.network.resume();
  await quiet(running);
  expect(await west.redis.exists('after:0', 'after:19')).toBe(2);
  // What the courier still had in memory arrives all the same: then there may be no gap to repair.
  await repaired(east);
  expect(await west.redis.exists(...deleted)).toBe(deleted.length);
  await expectNothingWaits(running);
});

test('a state deleted by hand while changes wait loses none of them', async () => {
  const { running, east, west } = await linked(FORGETFUL);
  east.network.cut();
  const keys = await write(east, 'waiting', 20);
  await until('the change list to hold them', async () => (await east.redis.llen(ownKeys().changes)) > 0);
  await east.redis.del(ownKeys().state);
  keys.push(...(await write(east, 'after', 20)));
  east.network.resume();
  await quiet(running);
  expect(await west.redis.exists(...keys)).toBe(keys.length);
  await expectEqual(east.redis, west.redis);
  expect((await statusOf(east)).gap).toBe(false);
  await expectNothingWaits(running);
});

test('an inbox deleted while its site was down is delivered again, without a further write', async () => {
  const { east, west } = await linked(FORGETFUL);
  await west.kill();
  const keys = await write(east, 'delivered', 20);
  await until('them to be delivered', async () => (await west.redis.llen(ownKeys().inbox)) > 0);
  await until('all to be delivered', async () => {
    const { outbound, capture } = await statusOf(east);
    return outbound.deliveredSequence === capture.nextSequence - 1;
  });
  await west.redis.del(ownKeys().inbox, ownKeys().lease);
  west.start();
  await until('them to cross', async () => (await west.redis.exists(...keys)) === keys.length);
});

test('an inbox deleted at work, when it holds more than is kept in memory, is delivered again, without a gap', async () => {
  const { running, east, west } = await linked(FORGETFUL);
  await quiet(running);
  expect((await runCli(['pause', 'inbound'], settingsOf(running, west))).code).toBe(0);
  await until('west to apply nothing', async () => (await statusOf(west)).inbound.state === 'paused');
  const keys = await write(east, 'large', 240, 64 * 1024);
  await until('all to be delivered', async () => {
    const { outbound, capture } = await statusOf(east);
    return outbound.deliveredSequence === capture.nextSequence - 1;
  });
  await west.redis.del(ownKeys().inbox);
  expect((await runCli(['resume', 'inbound'], settingsOf(running, west))).code).toBe(0);
  await west.waitForLog(/the inbox does not hold what was delivered/);
  await quiet(running);
  expect(await west.redis.exists(...keys)).toBe(keys.length);
  await expectNothingWaits(running);
  for (const site of [east, west]) expect((await statusOf(site)).gap).toBe(false);
});

test('a delete crosses and is acknowledged although the memory of its site is full', async () => {
  const { running, east, west } = await linked(FORGETFUL);
  await east.redis.set('key', 'x');
  await quiet(running);
  await east.redis.config('SET', 'maxmemory', '1');
  await expect(east.redis.set('refused', 'x')).rejects.toThrow('OOM');
  await east.redis.del('key');
  await until('the delete to cross', async () => (await west.redis.exists('key')) === 0);
  await until('it to be acknowledged', async () => (await east.redis.llen(ownKeys().changes)) === 0);
  await east.redis.config('SET', 'maxmemory', '0');
  await quiet(running);
  await expectNothingWaits(running);
});
