import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, expect, test } from 'vitest';
import { expectEqual } from '../support/equal.js';
import { writeMixed } from '../support/mixed-keys.js';
import { type Pair, type PairOptions, type Site, startPair } from '../support/pair.js';
import { quiet } from '../support/quiet.js';
import { until } from '../support/wait.js';
import { LONG_BACKLOG, QUICK, statusOf } from './observe.js';

let pair: Pair | undefined;

afterEach(async () => {
  await pair?.close();
  pair = undefined;
});

const KEYS = 400;
const DEADLINE = { deadlineMs: 45_000 };
const LONG = { timeout: 300_000 };

async function begin(options: PairOptions = {}): Promise<{ running: Pair; east: Site; west: Site }> {
  pair = await startPair({
    proxy: true,
    server: LONG_BACKLOG,
    ...options,
    env: { ...QUICK, ...options.env },
  });
  const { east, west } = pair;
  await writeMixed(east.redis, { prefix: 'first', count: KEYS });
  await quiet(pair);
  return { running: pair, east, west };
}

async function gapOf(site: Site): Promise<boolean | undefined> {
  return statusOf(site).then(
    ({ gap }) => gap,
    () => undefined,
  );
}

/** A gap was shown by one of the sites, is no more, and both are equal. */
async function expectMended(
  { running, east, west }: { running: Pair; east: Site; west: Site },
  from: readonly [number, number],
): Promise<void> {
  const logs = (): string[] => [...east.log.slice(from[0]), ...west.log.slice(from[1])].map(({ msg }) => msg);
  await until('a gap to be told', () => logs().some((msg) => /must be compared/.test(msg)), DEADLINE);
  await until('the sites to be compared', () => logs().includes('the sites have been compared'), DEADLINE);
  for (const site of [east, west])
    await until(
      `the gap of ${site.name} to be mended\n${site.tail()}`,
      async () => (await gapOf(site)) === false,
      DEADLINE,
    );
  await quiet(running);
  await expectEqual(east.redis, west.redis);
}

test('what was written while a process was away beyond the backlog is mended by itself', LONG, async () => {
  const all = await begin({ server: { config: { 'repl-backlog-size': '16kb' } } });
  const { east, west } = all;
  await east.kill();
  const from = [east.log.length, west.log.length] as const;
  await writeMixed(east.redis, { prefix: 'missed', count: KEYS });
  await east.redis.set('first:7', 'changed');
  await writeMixed(west.redis, { prefix: 'west', count: KEYS });
  east.start();
  await expectMended(all, from);
  expect(await west.redis.get('first:7')).toBe('changed');
  expect(await west.redis.get('missed:7')).toBe('a7');
  expect(await east.redis.get('west:7')).toBe('a7');
});

test('what is made of keys that differ, while they are repaired, is mended as well', LONG, async () => {
  const all = await begin({
    server: { config: { 'repl-backlog-size': '16kb' } },
    env: { TANDEM_SYNC_KEYS_PER_SECOND: '1500' },
  });
  const { east, west } = all;
  await east.kill();
  const from = [east.log.length, west.log.length] as const;
  for (let i = 0; i < KEYS; i++) await east.redis.set(`source:${i}`, 'x'.repeat(100));
  east.start();
  await east.waitForLog('reading the replication stream', { from: from[0] });
  for (let i = 0; !east.log.slice(from[0]).some(({ msg }) => msg === 'the sites have been compared'); i++) {
    await east.redis.copy(`source:${i % KEYS}`, `copy:${i}`);
    await sleep(2);
  }
  await expectMended(all, from);
  expect(await west.redis.get('copy:0')).toHaveLength(100);
});

test('a repair that was cut off by the next gap goes through all keys again', LONG, async () => {
  const all = await begin({
    server: { config: { 'repl-backlog-size': '16kb' } },
    env: { TANDEM_SYNC_KEYS_PER_SECOND: '500' },
  });
  const { east, west, running } = all;
  const other = east.redis.duplicate({ db: 1 });
  await writeMixed(other, { prefix: 'later', count: 3 * KEYS });
  other.disconnect();
  await quiet(running, DEADLINE);
  await east.kill();
  // Where anything is found, all is compared once more in any case.
  for (let i = 0; i < KEYS; i++) await east.redis.set('gone', 'x'.repeat(100));
  await east.redis.del('gone');
  east.start();
  const job = `tandem:{${running.name}}:jobs:repair:repair-of-cut`;
  await until(
    'a checkpoint behind the first database',
    async () => ((await east.redis.hget(job, 'checkpoint')) ?? '').includes('"database":1'),
    DEADLINE,
  );
  await east.kill();
  const from = [east.log.length, west.log.length] as const;
  for (let i = 0; i < KEYS; i++) await east.redis.set(`missed again:${i}`, 'x'.repeat(100));
  east.start();
  await expectMended(all, from);
  expect(await west.redis.strlen('missed again:7')).toBe(100);
});

test('a change list that was dropped at its bound is mended by itself', LONG, async () => {
  const all = await begin({ env: { TANDEM_CHANGES_BYTES: String(1024 * 1024) } });
  const { east, west } = all;
  east.network.cut();
  const from = [east.log.length, west.log.length] as const;
  for (let round = 0; round < 4; round++) await east.redis.set(`large:${round}`, 'x'.repeat(500_000));
  await writeMixed(east.redis, { prefix: 'missed', count: KEYS });
  await east.waitForLog(/reached its bound/);
  await west.redis.set('of-west', 'here');
  east.network.resume();
  await expectMended(all, from);
  expect(await west.redis.strlen('large:0')).toBe(500_000);
  expect(await east.redis.get('of-west')).toBe('here');
});

for (const [what, isEmpty] of [
  ['an older state', false],
  ['an empty disk', true],
] as const)
  for (const name of ['east', 'west'] as const)
    test(`a Redis at ${name} that comes back with ${what} is mended by itself`, LONG, async () => {
      const all = await begin();
      const [site, peer] = name === 'east' ? [all.east, all.west] : [all.west, all.east];
      await site.redis.save();
      await writeMixed(site.redis, { prefix: 'forgotten', count: KEYS });
      await writeMixed(peer.redis, { prefix: 'of-peer', count: KEYS });
      await quiet(all.running);
      const from = [all.east.log.length, all.west.log.length] as const;
      await site.server.kill();
      if (isEmpty) await rm(join(site.server.dir, 'dump.rdb'), { force: true });
      await writeMixed(peer.redis, { prefix: 'meanwhile', count: 50 });
      await site.server.start();
      await until('the server to be back', () => site.redis.ping().catch(() => undefined));
      await expectMended(all, from);
      // It has forgotten that the sites have met: they have.
      expect(site.log.slice(from[name === 'east' ? 0 : 1]).map(({ msg }) => msg)).not.toContain(
        'a job has failed',
      );
      expect(await site.redis.get('forgotten:7')).toBe('a7');
      expect(await site.redis.get('of-peer:7')).toBe('a7');
      expect(await site.redis.get('first:7')).toBe('a7');
      expect(await peer.redis.dbsize()).toBeGreaterThan(KEYS);
    });

test(
  'a key that one site writes all the time is told meanwhile, and keeps what the other wrote',
  LONG,
  async () => {
    const all = await begin({ server: { config: { 'repl-backlog-size': '16kb' } } });
    const { east, west } = all;
    await west.redis.set('busy', 10);
    await quiet(all.running);
    await east.kill();
    const from = [east.log.length, west.log.length] as const;
    await east.redis.incrby('busy', 1000);
    await writeMixed(east.redis, { prefix: 'missed', count: KEYS });
    const ended = new AbortController();
    let increases = 0;
    const writing = (async () => {
      for (; !ended.signal.aborted; increases++) {
        await west.redis.incr('busy');
        // It is never at rest, and seldom enough for a plan to be carried out between two writes.
        await sleep(20);
      }
    })();
    east.start();
    try {
      await east.waitForLog('the sites have been compared', { from: from[0], deadlineMs: 45_000 });
      await until('the gap to be mended', async () => (await gapOf(east)) === false, DEADLINE);
    } finally {
      ended.abort();
      await writing;
    }
    await expectMended(all, from);
    expect(Number(await west.redis.get('busy'))).toBe(1010 + increases);
  },
);

test(
  'a gap stays open as long as a list cannot be told, because it is written at both sites all the time',
  LONG,
  async () => {
    const all = await begin({ server: { config: { 'repl-backlog-size': '16kb' } } });
    const { east, west } = all;
    await west.redis.rpush('busy', 'first');
    await quiet(all.running);
    await east.kill();
    const from = [east.log.length, west.log.length] as const;
    await east.redis.rpush('busy', 'missed');
    await writeMixed(east.redis, { prefix: 'missed', count: KEYS });
    const ended = new AbortController();
    const writing = [east, west].map(async ({ redis, name }) => {
      for (let at = 0; !ended.signal.aborted; at++) {
        await redis.rpush('busy', `${name}${at}`);
        if (at % 3 === 0) await redis.lpop('busy');
        await sleep(5);
      }
    });
    east.start();
    try {
      await east.waitForLog(
        ({ msg, err }) =>
          msg === 'a job has failed and is tried again' && JSON.stringify(err).includes('all the time'),
        { from: from[0], deadlineMs: 60_000 },
      );
      expect(await gapOf(east)).toBe(true);
    } finally {
      ended.abort();
      await Promise.all(writing);
    }
    await expectMended(all, from);
  },
);

test('of two sites that have both missed changes, the one that wrote a key last keeps it', LONG, async () => {
  const all = await begin({ env: { TANDEM_CHANGES_BYTES: String(1024 * 1024) } });
  const { east, west, running } = all;
  for (const site of [east, west])
    for (const key of ['only', 'only too']) await site.redis.set(`${site.name} ${key}`, 'old');
  await quiet(running);
  const from = [east.log.length, west.log.length] as const;
  for (const site of [east, west]) site.network.cut();
  const write = async (first: Site, second: Site, key: string): Promise<void> => {
    await first.redis.set(key, first.name);
    await sleep(20);
    await second.redis.set(key, second.name);
  };
  await write(east, west, 'west last');
  await write(west, east, 'east last');
  for (const site of [east, west]) await site.redis.set(`${site.name} only`, 'new');
  for (const site of [east, west])
    for (let round = 0; round < 4; round++)
      await site.redis.set(`large:${site.name}:${round}`, 'x'.repeat(500_000));
  for (const site of [east, west]) await site.waitForLog(/reached its bound/);
  for (const site of [east, west]) site.network.resume();
  await expectMended(all, from);
  for (const { redis } of [east, west]) {
    expect(await redis.get('west last')).toBe('west');
    expect(await redis.get('east last')).toBe('east');
    expect(await redis.mget('east only', 'west only')).toEqual(['new', 'new']);
    expect(await redis.mget('east only too', 'west only too')).toEqual(['old', 'old']);
  }
});

test(
  'a Redis that comes back with older data, and without any own key that says so, wins nothing',
  LONG,
  async () => {
    const all = await begin();
    const { east, west, running } = all;
    for (let i = 0; i < 100; i++) await east.redis.incr('counter');
    await quiet(running);
    await west.redis.save();
    for (let i = 0; i < 650; i++) await east.redis.incr('counter');
    await quiet(running);
    const from = [east.log.length, west.log.length] as const;
    west.pause();
    await west.server.kill();
    await west.server.start();
    await west.redis.del(...(await west.redis.keys('tandem:*')));
    await west.redis.save();
    await west.server.kill();
    await west.server.start();
    west.resume();
    await expectMended(all, from);
    for (const { redis } of [east, west]) expect(await redis.get('counter')).toBe('750');
  },
);
