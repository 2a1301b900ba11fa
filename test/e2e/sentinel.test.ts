import { afterEach, describe, expect, test } from 'vitest';
import { expectEqual } from '../support/equal.js';
import { findServer } from '../support/find-server.js';
import { type Pair, type Site, startPair } from '../support/pair.js';
import { quiet } from '../support/quiet.js';
import { Sentinels } from '../support/sentinels.js';
import { NoTlsError, type TestServer, startServer } from '../support/server.js';
import { until } from '../support/wait.js';
import { QUICK, expectNothingWaits, statusOf } from './observe.js';

const CONFIG = { 'repl-backlog-size': '64mb', appendonly: 'yes', appendfsync: 'always' };
/** From the moment the Sentinels name another primary until a change has crossed. */
const SOON_MS = 5000;

/** A pair whose east is watched over by three Sentinels. Its process and that of west follow the primary there. */
interface Guarded {
  readonly pair: Pair;
  readonly sentinels: Sentinels;
  readonly primary: TestServer;
  readonly replica: TestServer;
}

let undo: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const step of undo.toReversed()) await step();
  undo = [];
});

async function guarded({ tls = false } = {}): Promise<Guarded> {
  const sentinels = await Sentinels.reserve({ tls });
  undo.push(() => sentinels.close());
  const url = (): string => sentinels.url;
  const config = tls ? { ...CONFIG, 'tls-replication': 'yes' } : CONFIG;
  const server = { config, tls };
  const pair = await startPair({
    start: false,
    env: QUICK,
    server,
    east: { localUrl: url, peerUrl: url },
  });
  const primary = pair.east.server;
  const replica = await startServer({
    config: { ...config, replicaof: `127.0.0.1 ${primary.port}` },
    tls,
    tlsFrom: primary.dir,
  });
  undo.push(() => replica.stop());
  // The processes end before what they are connected to.
  undo.push(() => pair.close());
  await sentinels.watch(primary, 1);
  for (const site of [pair.east, pair.west]) site.start();
  await quiet(pair);
  return { pair, sentinels, primary, replica };
}

/** The pair as it is once another server is east's primary. */
function withPrimary(pair: Pair, server: TestServer): Pair {
  const redis = server.client();
  const east = new Proxy(pair.east, {
    get: (site, name): unknown => {
      if (name === 'redis') return redis;
      const value: unknown = Reflect.get(site, name, site);
      return typeof value === 'function' ? (value.bind(site) as unknown) : value;
    },
  });
  return { ...pair, east };
}

async function increase(site: Site, count: number): Promise<void> {
  const pipeline = site.redis.pipeline();
  for (let i = 0; i < count; i++) pipeline.incr('counter').rpush(`list:${site.name}`, i);
  for (const [error] of (await pipeline.exec()) ?? []) if (error) throw error;
}

async function write(site: Site, prefix: string, count: number): Promise<string[]> {
  const keys = Array.from({ length: count }, (_, index) => `${prefix}:${index}`);
  for (const key of keys) await site.redis.set(key, 'x');
  return keys;
}

/** Waits until the replica has all that its primary has. */
async function inStep(primary: TestServer, replica: TestServer): Promise<void> {
  const [one, other] = [primary.client(), replica.client()];
  const offsetOf = async (client: typeof one): Promise<string | undefined> =>
    /master_repl_offset:(\d+)/.exec(await client.info('replication'))?.[1];
  await until('the replica to be in step', async () => (await offsetOf(one)) === (await offsetOf(other)));
}

/** How long it takes from `since` until a change of each site has crossed, and prints it. */
async function firstCrossing(pair: Pair, what: string, since: number): Promise<number> {
  const crossed = async (from: Site, to: Site): Promise<number> => {
    const key = `probe:${from.name}:${since}`;
    await until(
      `a change of ${from.name} to cross`,
      async () => {
        await from.redis.set(key, 'x');
        return (await to.redis.exists(key)) === 1;
      },
      { deadlineMs: 30_000, maxPauseMs: 10 },
    );
    return Date.now() - since;
  };
  const { east, west } = pair;
  const [out, back] = await Promise.all([crossed(east, west), crossed(west, east)]);
  process.stdout.write(
    `${what}: a change crossed ${out} ms (out) and ${back} ms (in) after the Sentinels had moved\n`,
  );
  return Math.max(out, back);
}

describe.skipIf((await findServer()).kind !== 'program')('behind Sentinels', () => {
  test('after a failover that loses nothing, changes cross again by themselves and all are counted once', async () => {
    const { pair, sentinels, primary, replica } = await guarded();
    const { epoch } = await statusOf(pair.east);
    await Promise.all([increase(pair.east, 500), increase(pair.west, 500)]);
    await quiet(pair);
    await inStep(primary, replica);
    await primary.kill();
    // Made while there is no primary: they wait in the change list.
    await increase(pair.west, 500);
    const moved = await sentinels.failedOver(primary);
    const now = withPrimary(pair, replica);
    expect(await firstCrossing(now, 'killed', moved)).toBeLessThan(SOON_MS);
    await increase(now.east, 500);
    await quiet(now);
    expect(await now.east.redis.get('counter')).toBe('2000');
    await expectEqual(now.east.redis, now.west.redis);
    await expectNothingWaits(now);
    const [east, west] = [await statusOf(pair.east), await statusOf(pair.west)];
    expect({ east: east.gap, west: west.gap }).toEqual({ east: false, west: false });
    expect(east.epoch).toBeGreaterThan(epoch);
  });

  test('after a failover that loses writes the peer has, a new epoch begins, and what was lost comes back by itself', async () => {
    const { pair, sentinels, primary, replica } = await guarded();
    const { east, west } = pair;
    const { epoch } = await statusOf(east);
    await inStep(primary, replica);
    // From here on the replica hears nothing more.
    await replica.client().replicaof('127.0.0.1', '1');
    const lost = await write(east, 'lost', 50);
    const back = await write(west, 'back', 50);
    await quiet(pair);
    expect(await west.redis.exists(...lost)).toBe(lost.length);
    await expectNothingWaits(pair);
    expect(await replica.client().exists(...lost, ...back)).toBe(0);
    await primary.kill();
    const moved = await sentinels.failedOver(primary);
    const now = withPrimary(pair, replica);
    expect(await firstCrossing(now, 'killed with a suffix lost', moved)).toBeLessThan(SOON_MS);
    const after = [...(await write(now.east, 'after:east', 20)), ...(await write(west, 'after:west', 20))];
    await quiet(now);
    for (const site of [now.east, west]) expect(await site.redis.exists(...after)).toBe(after.length);
    // What east has lost of its own is a gap there; what it has lost of west's, and acknowledged, is one at west.
    for (const site of [east, west])
      expect((await statusOf(site)).capture.gaps, site.name).toBeGreaterThan(0);
    expect((await statusOf(east)).epoch).toBeGreaterThan(epoch);
    for (const site of [east, west])
      await until(`the gap to be repaired at ${site.name}`, async () => !(await statusOf(site)).gap, {
        deadlineMs: 30_000,
      });
    expect(await now.east.redis.exists(...lost, ...back)).toBe(lost.length + back.length);
    await expectEqual(now.east.redis, west.redis);
  });

  test('a primary that was replaced and comes back as one feeds nothing, and nothing is applied to it', async () => {
    const { pair, sentinels, primary, replica } = await guarded();
    await increase(pair.east, 100);
    await quiet(pair);
    await inStep(primary, replica);
    await primary.kill();
    await sentinels.failedOver(primary);
    const now = withPrimary(pair, replica);
    await quiet(now);
    await primary.start();
    const returned = primary.client();
    expect(await returned.get('counter')).toBe('100');
    await returned.set('stray', 'x');
    // Every connection is made anew while it calls itself a primary.
    for (const type of ['normal', 'replica'] as const)
      await now.east.redis.call('CLIENT', 'KILL', 'TYPE', type);
    await increase(pair.west, 100);
    await quiet(now);
    expect(await returned.info('replication')).toContain('role:master');
    expect(String(await returned.client('LIST'))).not.toContain('tandem:');
    expect(await returned.get('counter')).toBe('100');
    await until(
      'the Sentinels to make it a replica',
      async () => /role:slave/.test(await returned.info('replication')),
      {
        deadlineMs: 30_000,
      },
    );
    await quiet(now);
    expect(await pair.west.redis.exists('stray')).toBe(0);
    expect(await now.east.redis.get('counter')).toBe('200');
    await expectEqual(now.east.redis, now.west.redis);
  });

  test('a primary that is demoted in order is left at once', async () => {
    const { pair, sentinels, primary, replica } = await guarded();
    await Promise.all([increase(pair.east, 100), increase(pair.west, 100)]);
    await quiet(pair);
    await inStep(primary, replica);
    const from = { east: pair.east.log.length, west: pair.west.log.length };
    await sentinels.fail();
    const moved = await sentinels.failedOver(primary);
    // What is written before both have left the old primary may be lost with it.
    await pair.east.waitForLog('reading the replication stream', { from: from.east });
    await pair.west.waitForLog('delivery to the peer is backing off', { from: from.west });
    expect(Date.now() - moved).toBeLessThan(SOON_MS);
    const now = withPrimary(pair, replica);
    await firstCrossing(now, 'demoted, once both had left', Date.now());
    await increase(now.east, 100);
    await quiet(now);
    expect(await now.east.redis.get('counter')).toBe('300');
    await expectEqual(now.east.redis, now.west.redis);
    for (const site of [pair.east, pair.west]) expect((await statusOf(site)).gap, site.name).toBe(false);
  });

  test('a primary that hangs is left when the Sentinels have replaced it, long before a command times out', async () => {
    const { pair, sentinels, primary, replica } = await guarded();
    await increase(pair.west, 100);
    await quiet(pair);
    await inStep(primary, replica);
    await primary.pause();
    const moved = await sentinels.failedOver(primary);
    const now = withPrimary(pair, replica);
    expect(await firstCrossing(now, 'hanging', moved)).toBeLessThan(SOON_MS);
    await primary.resume();
    await increase(pair.west, 100);
    await quiet(now);
    expect(await now.east.redis.get('counter')).toBe('200');
    await expectEqual(now.east.redis, now.west.redis);
  });

  test('over TLS a failover loses nothing either', async (context) => {
    const made = await guarded({ tls: true }).catch((error: unknown) => {
      if (error instanceof NoTlsError) return context.skip();
      throw error;
    });
    const { pair, sentinels, primary, replica } = made;
    await Promise.all([increase(pair.east, 100), increase(pair.west, 100)]);
    await quiet(pair);
    await inStep(primary, replica);
    await primary.kill();
    const moved = await sentinels.failedOver(primary);
    const now = withPrimary(pair, replica);
    expect(await firstCrossing(now, 'killed, over TLS', moved)).toBeLessThan(SOON_MS);
    await increase(now.east, 100);
    await quiet(now);
    expect(await now.east.redis.get('counter')).toBe('300');
    await expectEqual(now.east.redis, now.west.redis);
    for (const site of [pair.east, pair.west]) expect((await statusOf(site)).gap, site.name).toBe(false);
  });
});
