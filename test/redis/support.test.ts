import type { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { dataset } from '../support/dataset.js';
import { expectEqual } from '../support/equal.js';
import { Proxy } from '../support/proxy.js';
import { NoTlsError, startServer } from '../support/server.js';
import { useServer } from '../support/use-server.js';
import { until } from '../support/wait.js';

describe('the assertion that two servers are equal', () => {
  const { redis: east } = useServer();
  const { redis: west } = useServer();

  test('holds for the same value of every type, whatever the way to it', async () => {
    await fill(east, ['a', 'b']);
    await fill(west, ['b', 'a']);
    await expectEqual(east, west);
    expect((await dataset(east)).size).toBe(9);
  });

  test.each([
    ['a byte of a string', ['SET', 'string', 'valuf'], 'east "value\\x00\\xff", west "valuf"'],
    ['a member of a set', ['SREM', 'set', 'a'], 'set, line 1'],
    ['a score', ['ZADD', 'zset', '3', 'a'], 'zset, line 1: east "a = 1", west "a = 3"'],
    ['the order of a list', ['RPOPLPUSH', 'list', 'list'], 'list, line 1'],
    ['a field of a hash', ['HSET', 'hash', 'a', 'other'], 'hash, line 1'],
    ['an expiry', ['PERSIST', 'expiring'], 'expiry: east 33333333333333, west none'],
    ['an expiry by a second', ['PEXPIREAT', 'expiring', '33333333334333'], '1000 ms apart'],
    ['a type', ['EVAL', "redis.call('DEL', 'set') redis.call('SET', 'set', 'x')", '0'], 'east set "a, b"'],
    ['an entry of a stream', ['XDEL', 'stream', '1-1'], 'stream, line 1'],
    ['the last ID of a stream', ['XSETID', 'stream', '9-0'], 'last ID 3-0", west "last ID 9-0'],
    ['a pending entry', ['XACK', 'stream', 'group', '1-1'], 'pending 1-1'],
    ['a register of a HyperLogLog', ['PFADD', 'hyperloglog', 'another'], 'string, line 3: east "register'],
    ['a key that one does not have', ['DEL', 'hash'], 'only at east: hash'],
  ])('finds a difference in %s', async (_, [command = '', ...args], message) => {
    await east.flushall();
    await west.flushall();
    await fill(east, ['a', 'b']);
    await fill(west, ['a', 'b']);
    await west.call(command, ...args);
    await expect(expectEqual(east, west)).rejects.toThrow(message);
  });

  test("leaves out Tandem's own keys", async () => {
    await east.flushall();
    await west.flushall();
    await east.set('tandem:{test}:state', 'x');
    await expectEqual(east, west);
  });
});

/** One key of each type; `order` is that in which members, fields and elements of the HyperLogLog arrive. */
async function fill(client: Redis, order: string[]): Promise<void> {
  await client.set('string', Buffer.from('value\x00\xff', 'latin1'));
  await client.rpush('list', 'x', 'y', 'z');
  for (const item of order) {
    await client.sadd('set', item);
    await client.hset('hash', item, `value of ${item}`);
    await client.zadd('zset', item === 'a' ? 1 : 2.5, item);
    await client.pfadd('hyperloglog', item);
    await client.pfcount('hyperloglog');
  }
  for (const id of ['1-1', '2-0', '3-0']) await client.xadd('stream', id, 'field', `value ${id}`);
  await client.xgroup('CREATE', 'stream', 'group', '0');
  await client.call('XREADGROUP', 'GROUP', 'group', 'reader', 'COUNT', '1', 'STREAMS', 'stream', '>');
  const claim = [
    'XCLAIM',
    'stream',
    'group',
    'reader',
    '0',
    '1-1',
    'TIME',
    '1000',
    'RETRYCOUNT',
    '1',
    'JUSTID',
  ];
  await client.call(claim[0] ?? '', ...claim.slice(1));
  await client.call('SET', 'expiring', 'x', 'PXAT', '33333333333333');
  await client.multi().select(3).set('elsewhere', 'x').select(0).exec();
}

describe('a test server', () => {
  test('keeps its data over a crash when it was told to, and its clients come back', async () => {
    const server = await startServer({ config: { appendonly: 'yes', appendfsync: 'always' } });
    try {
      const client = server.client();
      await client.set('key', 'kept');
      await server.kill();
      await server.start();
      expect(await client.get('key')).toBe('kept');
    } finally {
      await server.stop();
    }
  });

  test('stands still while it is paused', async () => {
    const server = await startServer();
    try {
      const client = server.client();
      await client.ping();
      await server.pause();
      const answer = client.ping();
      const first = await Promise.race([
        answer,
        new Promise((resolve) => setTimeout(resolve, 50, 'silence')),
      ]);
      expect(first).toBe('silence');
      await server.resume();
      expect(await answer).toBe('PONG');
    } finally {
      await server.stop();
    }
  });

  test('knows users with fewer rights, and passwords', async () => {
    const server = await startServer({
      requirepass: 'secret',
      aclLines: ['user app on >word ~app:* +@all'],
    });
    try {
      expect(await server.client().ping()).toBe('PONG');
      const app = server.client({ username: 'app', password: 'word' });
      await expect(app.set('other', 'x')).rejects.toThrow('NOPERM');
      const stranger = server.client({ password: 'wrong', retryStrategy: null, maxRetriesPerRequest: 0 });
      await expect(stranger.ping()).rejects.toThrow(/NOAUTH|WRONGPASS|closed/);
    } finally {
      await server.stop();
    }
  });

  test('speaks TLS', async ({ skip }) => {
    const server = await startServer({ tls: true }).catch((error: unknown) => {
      if (error instanceof NoTlsError) skip(error.message);
      throw error;
    });
    try {
      expect(server.url).toMatch(/^rediss:/);
      expect(await server.client().ping()).toBe('PONG');
    } finally {
      await server.stop();
    }
  });

  test('that cannot start says why', async () => {
    await expect(startServer({ args: ['--no-such-directive', 'x'] })).rejects.toThrow('no-such-directive');
  });
});

describe('the proxy', () => {
  const { server } = useServer();
  let proxy: Proxy;
  let client: Redis;

  beforeAll(async () => {
    proxy = await Proxy.start({ port: server().port });
    client = server().client({ port: proxy.port });
  });

  afterAll(() => proxy.close());

  test('delays each way', async () => {
    await client.ping();
    proxy.delay(30);
    const start = performance.now();
    await client.ping();
    proxy.delay(0);
    expect(performance.now() - start).toBeGreaterThanOrEqual(59);
  });

  test('delivers after a silence what was sent in it', async () => {
    proxy.swallow();
    const answer = client.incr('counter');
    const first = await Promise.race([answer, new Promise((resolve) => setTimeout(resolve, 50, 'silence'))]);
    expect(first).toBe('silence');
    proxy.resume();
    expect(await answer).toBe(1);
  });

  test('cuts, refuses, and lets through again', async () => {
    const lost = new Promise((resolve) => client.once('close', resolve));
    proxy.cut();
    await lost;
    proxy.resume();
    expect(await client.ping()).toBe('PONG');
  });

  test('lets large values through in order, and slowly if told so', async () => {
    const value = Buffer.alloc(3 * 2 ** 20, 'abcdefg');
    await client.set('large', value);
    expect((await client.getBuffer('large'))?.equals(value)).toBe(true);
    proxy.throttle(1_000_000);
    const start = performance.now();
    await client.set('large', value.subarray(0, 200_000));
    proxy.throttle(Infinity);
    expect(performance.now() - start).toBeGreaterThanOrEqual(190);
  });
});

describe('waiting', () => {
  test('says what was awaited and what was seen last', async () => {
    const waiting = until('the sun to rise', () => Promise.resolve(0), { deadlineMs: 20 });
    await expect(waiting).rejects.toThrow('not within 20 ms: the sun to rise (last value: 0)');
  });
});
