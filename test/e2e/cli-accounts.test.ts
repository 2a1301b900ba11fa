import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { keyNames } from '../../src/redis/keys.js';
import { localAclRule, peerAclRule } from '../../src/service/preflight/rights.js';
import { type Pair, startPair } from '../support/pair.js';
import type { TestServer } from '../support/server.js';
import { until } from '../support/wait.js';

/** The rules that `tandem check` advises, and nothing beyond them. */
const keys = keyNames({ prefix: 'tandem', pair: 'test' });
const server = {
  aclLines: [`user own on >sesame ${localAclRule()}`, `user other on >sesame ${peerAclRule(keys)}`],
};
const urls = {
  localUrl: (own: TestServer): string => own.urlFor('own', 'sesame'),
  peerUrl: (own: TestServer): string => own.urlFor('other', 'sesame'),
};

let pair: Pair;
beforeAll(async () => {
  pair = await startPair({ server, east: urls, west: urls });
});
afterAll(() => pair.close());

describe('a pair whose accounts have the advised rights alone', () => {
  it('replicates every kind of data both ways', async () => {
    const { east, west } = pair;
    await east.redis.set('string', '1');
    await east.redis.hset('hash', 'f', 'v');
    await east.redis.multi().rpush('list', 'a', 'b').sadd('set', 'm').zadd('zset', 1, 'm').exec();
    await west.redis.xadd('stream', '1-1', 'f', 'v');
    await west.redis.pfadd('hll', 'a');
    await west.redis.eval(
      "redis.call('SET', KEYS[1], 'x', 'EX', 100) redis.call('INCR', KEYS[2])",
      2,
      'expiring',
      'counter',
    );
    await until(
      'west to have it all',
      async () => (await west.redis.exists('string', 'hash', 'list', 'set', 'zset')) === 5,
    );
    await until(
      'east to have it all',
      async () => (await east.redis.exists('stream', 'hll', 'expiring', 'counter')) === 4,
    );
  });

  it('is refused nothing', async () => {
    for (const { redis } of [pair.east, pair.west]) expect(await redis.call('ACL', 'LOG')).toEqual([]);
  });
});
