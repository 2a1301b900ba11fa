/** Messages between the sites, as docs/guide/publish-subscribe.md tells of them. */

import type { Redis } from 'ioredis';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type Pair, type Site, startPair } from '../support/pair.js';
import { quiet } from '../support/quiet.js';
import { until } from '../support/wait.js';
import { LONG_BACKLOG, QUICK } from './observe.js';

const COUNT = 100;

let pair: Pair;

beforeEach(async () => {
  pair = await startPair({ env: QUICK, server: LONG_BACKLOG });
});
afterEach(() => pair.close());

/** What a subscriber at a site has heard, and its client. */
async function subscriber(site: Site, ...channels: string[]): Promise<{ heard: string[]; client: Redis }> {
  const client = site.server.client();
  const heard: string[] = [];
  client.on('message', (_channel: string, message: string) => heard.push(message));
  await client.subscribe(...channels);
  return { heard, client };
}

const numbered = Array.from({ length: COUNT }, (_, n) => String(n));

test('messages that were published while the other process was away arrive late, each once and in order', async () => {
  const { east, west } = pair;
  const { heard } = await subscriber(west, 'news');
  await west.kill();
  for (const message of numbered) await east.redis.publish('news', message);
  await east.kill();
  for (const message of numbered) await east.redis.publish('news', `then ${message}`);
  expect(heard).toEqual([]);
  for (const site of [east, west]) site.start();
  await until('all to be heard', () => heard.length >= COUNT * 2);
  await quiet(pair);
  expect(heard).toEqual([...numbered, ...numbered.map((message) => `then ${message}`)]);
});

test('a message in a transaction, or a script, is heard when the value beside it is there', async () => {
  const { east, west } = pair;
  const { client, heard } = await subscriber(west, 'news');
  const read: Promise<(string | null)[]>[] = [];
  client.on('message', () => read.push(west.redis.mget('a', 'b')));
  const script = "redis.call('MSET', 'a', ARGV[1], 'b', ARGV[1]) redis.call('PUBLISH', 'news', ARGV[1])";
  for (const n of numbered)
    if (Number(n) % 2 === 0) await east.redis.multi().mset('a', n, 'b', n).publish('news', n).exec();
    else await east.redis.eval(script, 0, n);
  await until('all to be heard', () => heard.length === COUNT);
  for (const [at, values] of (await Promise.all(read)).entries()) {
    expect(values[0]).toBe(values[1]);
    expect(Number(values[0])).toBeGreaterThanOrEqual(at);
  }
});

test("a site's keyspace events tell of the other site's writes too", async () => {
  const { east, west } = pair;
  await west.redis.config('SET', 'notify-keyspace-events', 'KEA');
  const { heard } = await subscriber(west, '__keyevent@0__:set', '__keyevent@0__:hset', '__keyevent@0__:del');
  await east.redis.set('price', '1');
  await east.redis.multi().hset('user', 'name', 'Ada').del('price').exec();
  await until(
    'the events',
    () => heard.includes('user') && heard.filter((key) => key === 'price').length >= 2,
  );
  await quiet(pair);
  expect(heard.filter((key) => ['price', 'user'].includes(key))).toEqual(['price', 'user', 'price']);
});
