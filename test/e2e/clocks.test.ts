import { afterEach, expect, test } from 'vitest';
import { ProcessClock } from '../support/clock.js';
import { expectEqual } from '../support/equal.js';
import { type Pair, type Site, startPair } from '../support/pair.js';
import { quiet } from '../support/quiet.js';
import { until } from '../support/wait.js';
import { Load } from './load.js';
import { LONG_BACKLOG, QUICK, expectNothingWaits, statusOf } from './observe.js';

/**
 * Clocks only decide which of two concurrent values stays: with clocks that are wrong both sites must hold the same data all the
 * same, and no sum may suffer. The clock of a process is set; those of the servers stay right, so the skew that a process finds
 * is how far its own clock is from its peer's server.
 */

const TEN_MINUTES_MS = 600_000;
/** A skew is measured over a connection, and told in whole milliseconds. */
const ABOUT_MS = 1000;
const LOAD_MS = 1000;
const FAR_APART = /^the clocks of the sites are far apart/;

let pair: Pair | undefined;
const clocks: ProcessClock[] = [];

afterEach(async () => {
  await pair?.close();
  for (const clock of clocks.splice(0)) clock.close();
});

/** East's process has a clock that can be set. */
async function startWithClock(aheadMs: number): Promise<{ pair: Pair; clock: ProcessClock }> {
  const clock = new ProcessClock(aheadMs);
  clocks.push(clock);
  pair = await startPair({ env: QUICK, server: LONG_BACKLOG, proxy: true, east: { env: clock.env } });
  return { pair, clock };
}

test('with one clock ten minutes ahead both sites end equal and exact, and the skew is told', async () => {
  const { pair: sites } = await startWithClock(TEN_MINUTES_MS);
  const { east, west } = sites;
  const { skewMs } = await east.waitForLog(FAR_APART);
  expectAbout(Number(skewMs), -TEN_MINUTES_MS);
  expectAbout((await statusOf(east)).clockSkewMs, -TEN_MINUTES_MS);

  await loadIsExact(sites, 'ahead');
  await concurrently(sites, 'ahead');
  // The site ahead wins more than its share: of concurrent values its own stays, though west's was written later.
  expect(await values(sites, 'ahead:string')).toEqual(['east', 'east']);
  // What was written with knowledge of it stays, though west's clock is behind.
  await west.redis.set('ahead:string', 'known');
  await quiet(sites);
  expect(await values(sites, 'ahead:string')).toEqual(['known', 'known']);
});

test('when a clock jumps back under load both sites end equal and exact, and the skew is told', async () => {
  const { pair: sites, clock } = await startWithClock(0);
  const { east } = sites;
  expect((await statusOf(east)).clockSkewMs).toBeLessThan(ABOUT_MS);

  await loadIsExact(sites, 'back', () => clock.set(east, -TEN_MINUTES_MS));
  await east.waitForLog(FAR_APART, { deadlineMs: 20_000 });
  await until('the status to have the skew', async () => (await statusOf(east)).clockSkewMs !== 0);
  expectAbout((await statusOf(east)).clockSkewMs, TEN_MINUTES_MS);
  expect((await statusOf(east)).uptimeMs).toBeGreaterThan(0);

  await concurrently(sites, 'back');
  // A process that begins with the clock put back is given the time its Redis remembers.
  await east.kill();
  await east.redis.del('tandem:{test}:lease');
  east.start();
  await quiet(sites);
  await concurrently(sites, 'begun');
  for (const name of ['first', 'second', 'third']) {
    await east.redis.set('in turn', name);
    await quiet(sites);
    expect(await values(sites, 'in turn')).toEqual([name, name]);
  }
});

test('when a clock jumps back and forth all the time both sites end equal and exact', async () => {
  const { pair: sites, clock } = await startWithClock(0);
  const { east } = sites;
  const stop = new AbortController();
  const jumping = (async () => {
    for (let i = 0; !stop.signal.aborted; i++) {
      clock.set(east, [-TEN_MINUTES_MS, 0, TEN_MINUTES_MS, -1][i % 4]!);
      await pause(70);
    }
  })();
  await loadIsExact(sites, 'jumping');
  await concurrently(sites, 'jumping');
  stop.abort();
  await jumping;
});

/** Both sites write at once, for a while, counters, lists, streams, transactions: all of it is there at both. */
async function loadIsExact(sites: Pair, name: string, halfway?: () => void): Promise<void> {
  const load = new Load(sites, { name });
  load.start();
  await pause(LOAD_MS / 2);
  halfway?.();
  await pause(LOAD_MS / 2);
  await load.stop();
  await quiet(sites);
  await load.expectExact();
  await expectEqual(sites.east.redis, sites.west.redis);
  await expectNothingWaits(sites);
}

/** Both sites write the same keys while they cannot hear of each other, east first; then they can again. */
async function concurrently(sites: Pair, name: string): Promise<void> {
  const { east, west } = sites;
  await east.redis.set(`${name}:counter`, 100);
  await east.redis.rpush(`${name}:list`, 'a', 'b', 'c');
  await east.redis.zadd(`${name}:zset`, 1, 'm');
  await quiet(sites);
  for (const site of [east, west]) site.network.cut();
  for (const site of [east, west]) await write(site, name);
  for (const site of [east, west]) site.network.resume();
  await quiet(sites);
  await expectEqual(east.redis, west.redis);
  expect(await values(sites, `${name}:counter`)).toEqual(['111', '111']);
  expect(await east.redis.hget(`${name}:hash`, 'sum')).toBe('11');
  expect((await east.redis.lrange(`${name}:list`, 0, -1)).toSorted()).toEqual([
    'a',
    'b',
    'c',
    'east',
    'west',
  ]);
  expect(await east.redis.zscore(`${name}:zset`, 'm')).toBe('12');
  await expectNothingWaits(sites);
}

async function write({ redis, name: site }: Site, name: string): Promise<void> {
  const amount = site === 'east' ? 10 : 1;
  await redis.incrby(`${name}:counter`, amount);
  await redis.set(`${name}:string`, site);
  await redis.hset(`${name}:hash`, 'field', site, site, 1);
  await redis.hincrby(`${name}:hash`, 'sum', amount);
  await redis.rpush(`${name}:list`, site);
  await redis.zincrby(`${name}:zset`, amount, 'm');
  await redis.sadd(`${name}:set`, 'both', site);
  await redis.set(`${name}:volatile`, site, 'EX', site === 'east' ? 1000 : 2000);
  await redis.append(`${name}:text`, site);
  await pause(20);
}

function values({ east, west }: Pair, key: string): Promise<(string | null)[]> {
  return Promise.all([east.redis.get(key), west.redis.get(key)]);
}

function expectAbout(foundMs: number | null, wantedMs: number): void {
  expect(Math.abs(Number(foundMs) - wantedMs), `${foundMs} ms, about ${wantedMs} ms`).toBeLessThan(ABOUT_MS);
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}
