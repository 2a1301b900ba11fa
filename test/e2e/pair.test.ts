import { afterEach, expect, test } from 'vitest';
import { expectEqual } from '../support/equal.js';
import { type Pair, type PairOptions, startPair } from '../support/pair.js';
import { quiet } from '../support/quiet.js';
import type { TestServer } from '../support/server.js';

let pair: Pair | undefined;

afterEach(async () => {
  await pair?.close();
  pair = undefined;
});

async function linked(options: PairOptions = {}): Promise<Pair> {
  pair = await startPair(options);
  return pair;
}

async function expectQuietAndEqual(running: Pair): Promise<void> {
  await quiet(running);
  await expectEqual(running.east.redis, running.west.redis);
}

test('two sites, set up by the environment alone, hold the same after writes at both', async () => {
  const running = await linked();
  const { east, west } = running;
  await east.redis.set('from:east', 'x');
  await east.redis.multi().hset('hash', 'a', '1').rpush('list', 'x', 'y').exec();
  await west.redis.set('from:west', 'y', 'EX', 1000);
  await Promise.all([east.redis.incrby('counter', 7), west.redis.incrby('counter', 5)]);
  await expectQuietAndEqual(running);
  expect(await east.redis.get('counter')).toBe('12');
  expect(await west.redis.hget('hash', 'a')).toBe('1');
  expect(await east.redis.get('from:west')).toBe('y');
});

test('writes made while the network is cut cross when it is back', async () => {
  const running = await linked({ proxy: true });
  running.east.network.cut();
  running.west.network.cut();
  await running.east.redis.set('east', 'x');
  await running.west.redis.set('west', 'y');
  running.east.network.resume();
  running.west.network.resume();
  await expectQuietAndEqual(running);
  expect(await running.west.redis.get('east')).toBe('x');
});

test('writes made while a process is down cross when it is back', async () => {
  const running = await linked();
  await running.east.kill();
  await running.east.redis.set('east', 'x');
  await running.west.redis.set('west', 'y');
  running.east.start();
  await expectQuietAndEqual(running);
  expect(await running.west.redis.get('east')).toBe('x');
});

test('both halves run on accounts that can do no more than they need', async () => {
  const aclLines = [
    'user tandem on >own ~* &* +@all -@admin +psync +replconf +config|get +acl|dryrun +client|setname',
    'user tandem-peer on >peer ~tandem:{test}:in:* resetchannels -@all +ping +info +time +eval +evalsha +hget +hset +hdel +hmget +rpush +llen +client|setname',
  ];
  const site = {
    localUrl: (server: TestServer) => server.urlFor('tandem', 'own'),
    peerUrl: (server: TestServer) => server.urlFor('tandem-peer', 'peer'),
  };
  const running = await linked({ server: { aclLines }, east: site, west: site });
  await running.east.redis.set('key', 'x');
  await running.west.redis.zadd('zset', 1, 'member');
  await expectQuietAndEqual(running);
  expect(await running.west.redis.get('key')).toBe('x');
});
