/** Flushes of the application's: its own database is the one that Tandem's keys are in. */

import { afterEach, expect, test } from 'vitest';
import { expectEqual } from '../support/equal.js';
import { type Pair, startPair } from '../support/pair.js';
import { quiet } from '../support/quiet.js';
import { until } from '../support/wait.js';

/** A failure would be followed by a pause of half of this at the least. */
const BACKOFF_MS = 20_000;
const FLUSHES = 8;
/** Between the writes of a site, which the other one is to keep up with. */
const PAUSE_MS = 30;

let pair: Pair | undefined;

afterEach(async () => {
  await pair?.close();
  pair = undefined;
});

test('a database that is flushed again and again is no failure: what follows crosses without a pause each time', async () => {
  const env = { TANDEM_BACKOFF_MIN_MS: String(BACKOFF_MS), TANDEM_BACKOFF_MAX_MS: String(BACKOFF_MS) };
  pair = await startPair({ env });
  const { east, west } = pair;
  for (let i = 0; i < FLUSHES; i++) {
    await east.redis.flushdb();
    await east.redis.set(`after ${i}`, 'v');
    await until('what follows a flush to cross', async () => (await west.redis.exists(`after ${i}`)) === 1, {
      deadlineMs: BACKOFF_MS / 2 - 1000,
    });
  }
  expect(east.tail()).not.toMatch(/"pauseMs":\d{3}/);
}, 120_000);

const REPLICATED = { TANDEM_FLUSH: 'replicate', TANDEM_LEASE_MS: '60000' };

test.each([
  ['FLUSHALL', 'east', 0],
  ['FLUSHALL', 'west', 0],
  ['FLUSHDB', 'east', 0],
  ['FLUSHDB', 'west', 0],
  ['FLUSHDB', 'east', 1],
  ['FLUSHALL', 'west', 1],
] as const)(
  'a %s takes what its sender had seen, and leaves at both sites what it had not; %s hears of the other first, in database %i',
  async (flush, first, database) => {
    pair = await startPair({ env: REPLICATED });
    const { east, west } = pair;
    const [atEast, atWest] = [east.server.client(), west.server.client()];
    await Promise.all([atEast.select(database), atWest.select(database)]);
    await atEast.hset('hash', 'seen', '1', 'both', '1');
    await atEast.rpush('list', 'a', 'b', 'c');
    await atEast.set('counter', 10);
    await atEast.zadd('scores', 1, 'm', 2, 'n');
    await atEast.xadd('stream', '1-1', 'f', 'v');
    await atEast.set('gone', 'v');
    await atEast.set('to be renamed', 'v');
    await east.redis.select(2);
    await east.redis.set('elsewhere', 'v');
    await east.redis.select(0);
    await quiet(pair);

    for (const site of [east, west]) site.pause();
    await atWest.hset('hash', 'unseen', '2', 'both', '2');
    await atWest.rpush('list', 'd');
    await atWest.lpop('list');
    await atWest.incrby('counter', 5);
    await atWest.zrem('scores', 'm');
    await atWest.xadd('stream', '2-1', 'f', 'unseen');
    await atWest.set('new', 'unseen', 'EX', 5000);
    await atWest.rename('to be renamed', 'renamed');
    await (flush === 'FLUSHALL' ? atEast.flushall() : atEast.flushdb());
    await atEast.set('after', 'the flush');
    await atEast.rpush('list', 'e');
    const [one, other] = first === 'east' ? [east, west] : [west, east];
    one.resume();
    other.resume();
    await quiet(pair);
    await expectEqual(east.redis, west.redis);

    expect(await atEast.hgetall('hash')).toEqual({ unseen: '2', both: '2' });
    expect(await atEast.get('counter')).toBe('5');
    expect((await atEast.xrange('stream', '-', '+')).map(([id]) => id)).toEqual(['2-1']);
    expect((await atEast.lrange('list', 0, -1)).toSorted()).toEqual(['d', 'e']);
    expect(await atEast.mget('new', 'gone', 'after')).toEqual(['unseen', null, 'the flush']);
    expect(await atEast.ttl('new')).toBeGreaterThan(4000);
    expect(await atWest.exists('scores', 'to be renamed')).toBe(0);
    await west.redis.select(2);
    expect(await west.redis.exists('elsewhere')).toBe(flush === 'FLUSHALL' ? 0 : 1);
  },
  60_000,
);

test('databases that are flushed again and again while both sites write them end equal', async () => {
  pair = await startPair({ env: REPLICATED });
  const { east, west } = pair;
  const over = new AbortController();
  const write = async (site: typeof east, seed: number): Promise<void> => {
    const redis = site.server.client();
    for (let i = seed; !over.signal.aborted; i++) {
      await redis.select(i % 2);
      await Promise.all([
        redis.incr(`counter ${i % 7}`),
        redis.hset(`hash ${i % 5}`, `${site.name} ${i % 11}`, i),
        redis.rpush(`list ${i % 3}`, `${site.name} ${i}`),
        redis.sadd(`set ${i % 4}`, i % 50),
        redis.set(`value ${i % 90}`, `${site.name} ${i}`),
      ]);
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
    redis.disconnect();
  };
  const writing = [write(east, 0), write(west, 3)];
  for (let i = 0; i < 8; i++) {
    const site = i % 2 === 0 ? east : west;
    await site.redis.select(1);
    await (i % 3 === 0 ? site.redis.flushall() : site.redis.flushdb());
    const done = `flush ${i}`;
    await site.redis.set(done, 'v');
    const other = site === east ? west : east;
    await other.redis.select(1);
    await until('what follows a flush to cross', async () => (await other.redis.exists(done)) === 1, {
      deadlineMs: 40_000,
    });
  }
  over.abort();
  await Promise.all(writing);
  await quiet(pair);
  await expectEqual(east.redis, west.redis);
}, 120_000);
