import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { expectEqual } from '../support/equal.js';
import { type Pair, type Site, startPair } from '../support/pair.js';
import { quiet } from '../support/quiet.js';
import { until } from '../support/wait.js';
import { Load } from './load.js';
import { LONG_BACKLOG, QUICK, expectNothingWaits, ownKeys, statusOf } from './observe.js';
import { runCli, type Outcome } from './run-cli.js';

/** What a site whose inbox is full takes at the most. */
const INBOX_BYTES = 1024 * 1024;

let pair: Pair;

beforeEach(async () => {
  const env = { ...QUICK, TANDEM_INBOX_BYTES: String(INBOX_BYTES) };
  pair = await startPair({ env, server: LONG_BACKLOG });
});
afterEach(() => pair.close());

function cli(site: Site, ...args: string[]): Promise<Outcome> {
  const peer = site === pair.east ? pair.west : pair.east;
  return runCli(args, {
    TANDEM_PAIR: pair.name,
    TANDEM_SITE: site.name,
    TANDEM_PEER: peer.name,
    TANDEM_LOCAL_URL: site.server.url,
    TANDEM_PEER_URL: peer.server.url,
  });
}

async function metricsOf(site: Site): Promise<string> {
  return (await fetch(`${site.httpUrl}/metrics`, { headers: { connection: 'close' } })).text();
}

/** A crash, and a new process that works. */
async function crash(site: Site): Promise<void> {
  await site.kill();
  await site.redis.del(ownKeys().lease);
  const from = site.log.length;
  site.start();
  await site.waitForLog('reading the replication stream', { from });
}

async function expectHeld(key: string, at: Site, work: () => Promise<void>): Promise<void> {
  const before = await at.redis.get(key);
  await work();
  expect(await at.redis.get(key)).toBe(before);
}

async function expectAllCrossed(load: Load): Promise<void> {
  await load.stop();
  await quiet(pair, { deadlineMs: 60_000 });
  await load.expectExact();
  await expectEqual(pair.east.redis, pair.west.redis);
  await expectNothingWaits(pair);
  for (const site of [pair.east, pair.west]) expect((await statusOf(site)).gap).toBe(false);
}

test('outbound: changes wait in the change list over a crash, the other direction goes on, and then each crosses once', async () => {
  const { east, west } = pair;
  const load = new Load(pair);
  load.start();
  const answer = JSON.parse((await cli(east, 'pause', 'outbound', '--json')).stdout) as unknown;
  expect(answer).toEqual({
    running: true,
    pausedSince: { outbound: expect.any(Number) as number, inbound: null },
  });
  await until('the courier to pause', async () => (await statusOf(east)).outbound.state === 'paused', {
    deadlineMs: 2500,
  });
  await expectHeld('load:east:count', west, async () => {
    const [atEast, before] = [
      await east.redis.get('load:east:count'),
      await east.redis.get('load:west:count'),
    ];
    await crash(east);
    await until('the writes of west to reach east', async () => {
      return Number(await east.redis.get('load:west:count')) > Number(before) + 20;
    });
    await until('east to have written more', async () => {
      return Number(await east.redis.get('load:east:count')) > Number(atEast) + 20;
    });
  });
  const { outbound, inbound } = await statusOf(east);
  expect([outbound.state, inbound.pausedSince]).toEqual(['paused', null]);
  expect(outbound.changeListBatches).toBeGreaterThan(0);
  expect(await metricsOf(east)).toContain('tandem_paused{direction="outbound"} 1\n');
  await until("the status to be the new process's", async () =>
    /^east → west {2}paused since 20\S+Z$/m.test((await cli(east, 'status')).stdout),
  );
  expect(east.log.filter(({ msg }) => msg === 'a direction is paused')).toHaveLength(2);
  expect((await cli(east, 'resume', 'outbound')).stdout).toMatch(/^outbound \(east → west\) {2}not paused$/m);
  await expectAllCrossed(load);
  expect(await east.waitForLog('a paused direction goes on')).toMatchObject({ direction: 'outbound' });
});

test('inbound: the inbox fills up to its bound, the peer waits without a flood of warnings, and then each is applied once', async () => {
  const { east, west } = pair;
  const load = new Load(pair);
  load.start();
  expect((await cli(west, 'pause', 'inbound')).code).toBe(0);
  await until('the applier to pause', async () => (await statusOf(west)).inbound.state === 'paused', {
    deadlineMs: 2500,
  });
  const from = east.log.length;
  for (let i = 0; i < 20; i++) await east.redis.set(`filler:${i}`, 'x'.repeat(INBOX_BYTES / 16));
  await expectHeld('load:east:count', west, async () => {
    await until("west's inbox to be full", async () => {
      return /inbox is full/.test((await statusOf(east)).outbound.detail ?? '');
    });
    await crash(west);
    await crash(east);
    await until('east to find it full again', async () => {
      return /inbox is full/.test((await statusOf(east)).outbound.detail ?? '');
    });
    await new Promise((resolve) => {
      setTimeout(resolve, 1500);
    });
  });
  expect(Number(await west.redis.hget(ownKeys().received, 'bytes'))).toBeLessThanOrEqual(INBOX_BYTES);
  const warnings = east.log.slice(from).filter(({ msg }) => msg === 'delivery to the peer is backing off');
  expect(warnings.length).toBeLessThan(12);
  expect((await cli(west, 'resume')).code).toBe(0);
  await expectAllCrossed(load);
});

describe('a pause', () => {
  test('of both directions is there before the first start, and no process need run to set it or to see it', async () => {
    const { east, west } = pair;
    await east.kill('SIGTERM');
    expect((await cli(east, 'pause')).stdout).toMatch(/No process runs/);
    expect(JSON.parse((await cli(east, 'status', '--json')).stdout)).toMatchObject({
      running: false,
      pausedSince: { outbound: expect.any(Number) as number, inbound: expect.any(Number) as number },
    });
    expect((await cli(east, 'status')).stdout).toMatch(/Paused: outbound and inbound/);
    const since = await east.redis.hgetall(ownKeys().paused);
    await cli(east, 'pause', 'inbound');
    expect(await east.redis.hgetall(ownKeys().paused)).toEqual(since);
    east.start();
    await until('both directions to be paused', async () => {
      const { outbound, inbound } = await statusOf(east).catch(() => statusOf(west));
      return outbound.state === 'paused' && inbound.state === 'paused';
    });
    await west.redis.set('from west', '1');
    await east.redis.set('from east', '1');
    await cli(east, 'resume');
    await quiet(pair);
    await expectEqual(east.redis, west.redis);
  });

  test('is refused at the Redis of the other site, and for a direction there is none of', async () => {
    const { east, west } = pair;
    const mistaken = await runCli(['pause'], {
      TANDEM_PAIR: pair.name,
      TANDEM_SITE: 'east',
      TANDEM_PEER: 'west',
      TANDEM_LOCAL_URL: west.server.url,
      TANDEM_PEER_URL: east.server.url,
    });
    expect([mistaken.code, mistaken.stderr]).toEqual([6, expect.stringMatching(/that of site west/)]);
    expect((await cli(east, 'pause', 'sideways')).code).toBe(2);
    for (const { redis } of [east, west]) expect(await redis.exists(ownKeys().paused)).toBe(0);
  });
});
