import type { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { Applier } from '../../src/apply/applier.js';
import { Decider } from '../../src/apply/decider.js';
import { Rejections } from '../../src/apply/rejections.js';
import { Window } from '../../src/apply/window.js';
import { HybridClock } from '../../src/change/clock.js';
import { Inbox } from '../../src/queue/inbox.js';
import { RawConnection } from '../../src/redis/raw-connection.js';
import { type TestServer, startServer } from '../support/server.js';
import { until } from '../support/wait.js';
import { KEYS, PAIR, SILENT, TOKEN, batchOf, deliver, openFresh } from './own-keys.js';

let server: TestServer;
let client: Redis;
let stop: AbortController;
let connections: RawConnection[];

beforeAll(async () => {
  server = await startServer();
  client = server.client();
});

afterAll(() => server.stop());

beforeEach(async () => {
  await openFresh(client);
  await client.hset(KEYS.received, 'limit', 10_000_000);
  stop = new AbortController();
  connections = [];
});

afterEach(() => {
  stop.abort();
  for (const connection of connections) connection.close();
});

interface Working {
  applier: Applier;
  inbox: Inbox;
  rejections: Rejections;
  running: Promise<void>;
  connection: RawConnection;
}

/** An applier with all it needs, as a process has it that begins where the site's keys say. */
async function work(token = TOKEN): Promise<Working> {
  const [epoch, sequence] = (await client.hmget(KEYS.applied, 'epoch', 'n')).map(Number);
  const applied = { epoch: epoch!, sequence: sequence! };
  const connection = await RawConnection.open({
    address: { host: server.host, port: server.port, tls: false },
    name: 'test',
    connectTimeoutMs: 5000,
    signal: stop.signal,
  });
  connections.push(connection);
  const inbox = new Inbox({ client, keys: KEYS, pair: PAIR, peer: 'west', applied, token, log: SILENT });
  const rejections = new Rejections({ client, keys: KEYS, token, log: SILENT });
  const decider = new Decider({
    site: 'east',
    keys: KEYS,
    window: new Window({ recentMs: 1000, maxEntries: 1024 }),
    conflictsKept: 10,
    conflictValueBytes: 10,
    capturedThrough: () => 0,
    appendedThrough: () => 0,
    appended: () => Promise.resolve(),
    fetch: () => Promise.resolve(undefined),
    translate: () => undefined,
    onDecided: () => {},
    onState: () => {},
    onConflict: () => {},
  });
  const clock = new HybridClock();
  const applier = new Applier({
    connection,
    keys: KEYS,
    token,
    applied,
    inbox,
    decider,
    rejections,
    barrier: () => Promise.resolve(),
    clock,
    observe: (timestamp) => clock.observe(timestamp),
    log: SILENT,
    backoffMinMs: 5,
    backoffMaxMs: 20,
    onApplied: () => {},
  });
  const running = Promise.race([
    applier.run(stop.signal),
    connection.closed.then((reason) => Promise.reject(reason)),
  ]);
  running.catch(() => {});
  return { applier, inbox, rejections, running, connection };
}

async function deliverOnes(from: number, to: number): Promise<void> {
  for (let n = from; n <= to; n++)
    await deliver(client, batchOf(n, 1), { first: n, last: n, isOldest: n === 1 });
}

async function isApplied(sequence: number): Promise<void> {
  await until(
    `the changes up to ${sequence} to be applied`,
    async () => (await client.hget(KEYS.applied, 'n')) === String(sequence),
  );
}

async function expectApplied(count: number): Promise<void> {
  await isApplied(count);
  expect(await client.lrange('list', 0, -1)).toEqual(
    Array.from({ length: count }, (_, index) => String(index + 1)),
  );
  expect(await client.llen(KEYS.inbox)).toBe(0);
  expect(await client.hget(KEYS.received, 'bytes')).toBe('0');
}

test('makes every change once and in order, and takes it out of the inbox in the same step', async () => {
  await deliverOnes(1, 200);
  await work();
  await expectApplied(200);
});

test('goes on where another process ended, wherever that was', async () => {
  await deliverOnes(1, 300);
  for (let attempt = 1; attempt <= 10; attempt++) {
    const { connection } = await work();
    await isPast(attempt * 20);
    connection.close();
  }
  await work();
  await expectApplied(300);

  async function isPast(sequence: number): Promise<void> {
    await until('some changes', async () => Number(await client.hget(KEYS.applied, 'n')) >= sequence, {
      pauseMs: 1,
      maxPauseMs: 1,
    });
  }
});

test('makes no change any more once another process has taken over', async () => {
  await deliverOnes(1, 10);
  const { running, inbox } = await work();
  await isApplied(10);
  await client.incr(KEYS.fence);
  await deliverOnes(11, 20);
  inbox.delivered(batchOf(11, 1));
  await expect(running).rejects.toMatchObject({ code: 'FENCED' });
  expect(await client.llen('list')).toBe(10);
  expect(await client.llen(KEYS.inbox)).toBe(10);
});

test('makes no change when another one was made meanwhile, and says that the keys are not its own', async () => {
  await deliverOnes(1, 5);
  const { running, inbox } = await work();
  await isApplied(5);
  await client.hset(KEYS.applied, 'n', 4);
  await deliverOnes(6, 6);
  inbox.delivered(batchOf(6, 1));
  await expect(running).rejects.toMatchObject({ code: 'STATE_LOST' });
  expect(await client.llen('list')).toBe(5);
});

describe('a change that this server refuses', () => {
  test.each([
    ['while it is made (WRONGTYPE)', ['LPUSH', 'text', 'x'], /^WRONGTYPE/],
    ['before it is even queued (an unknown command)', ['NO.SUCH', 'text', 'x'], /^ERR unknown command/],
    ['before it is even queued (too few arguments)', ['SET', 'text'], /^ERR wrong number/],
  ])('%s does not stop the others, and stands in the list of rejected ones', async (_, command, error) => {
    await client.set('text', 'x');
    const batch = batchOf(1, 3, { of: [['SET', 'before', '1'], command, ['SET', 'after', '1']] });
    await deliver(client, batch, { first: 1, last: 3, isOldest: true });
    await deliver(client, batchOf(4, 1), { first: 4, last: 4 });
    const { rejections } = await work();
    await isApplied(4);
    expect(await client.mget('before', 'after', 'text')).toEqual(['1', '1', 'x']);
    const entries = await client.xrange(KEYS.rejected, '-', '+');
    expect(entries).toHaveLength(1);
    const [, [, sequence, , text, , key, , reason]] = entries[0] as unknown as [string, string[]];
    expect({ sequence, key }).toEqual({ sequence: '1', key: 'text' });
    expect(text).toContain(command[0]);
    expect(reason).toMatch(error);
    expect(rejections.count).toBe(1);
    expect(await client.hexists(KEYS.applied, 'suspect')).toBe(0);
    expect(await client.llen(KEYS.inbox)).toBe(0);
  });
});

test('while the server has no memory left it waits, loses nothing, and goes on by itself', async () => {
  await deliverOnes(1, 50);
  await client.config('SET', 'maxmemory', '1');
  const { applier } = await work();
  await until('it to back off', () => applier.state === 'backing-off');
  expect(await client.hget(KEYS.applied, 'n')).toBe('0');
  await client.config('SET', 'maxmemory', '0');
  await expectApplied(50);
  expect(await client.exists(KEYS.rejected)).toBe(0);
});

test('a reader sees a batch with all its changes or with none', async () => {
  const reader = server.client();
  const seen = new Set<number>();
  let looking = true;
  const looks = (async () => {
    while (looking) seen.add(await reader.llen('list'));
  })();
  for (let n = 0; n < 50; n++)
    await deliver(client, batchOf(n * 100 + 1, 100), {
      first: n * 100 + 1,
      last: n * 100 + 100,
      isOldest: n === 0,
    });
  await work();
  await isApplied(5000);
  looking = false;
  await looks;
  reader.disconnect();
  expect([...seen].filter((length) => length % 100 !== 0)).toEqual([]);
});
