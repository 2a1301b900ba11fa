import type { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { decodeBatch, decodeSealed, encodeSealed, plainLength } from '../../src/protocol/batch.js';
import { pack, type Algorithm } from '../../src/protocol/packing.js';
import { Courier } from '../../src/outbound/courier.js';
import type { CourierOptions } from '../../src/outbound/courier-options.js';
import { ChangeList } from '../../src/outbound/change-list.js';
import { Proxy } from '../support/proxy.js';
import { useServer } from '../support/use-server.js';
import { until } from '../support/wait.js';
import { EPOCH, KEYS, PAIR, TOKEN, batchOf, openFresh } from './internal-keys.js';
import { SILENT, useTandemClients } from '../support/tandem-clients.js';

/** The peer's server; west works there. The list of east's changes stands on another. */
const { redis: peerClient, server: peer } = useServer();
const { redis: ownClient } = useServer();
const open = useTandemClients();
let proxy: Proxy;
let stop: AbortController;
let list: ChangeList;
let client: Redis;
let courier: Courier;
let running: Promise<unknown>;

beforeAll(async () => {
  proxy = await Proxy.start({ port: peer().port });
});

afterAll(() => proxy.close());

beforeEach(async () => {
  await openFresh(peerClient, 'west');
  await openFresh(ownClient, 'east');
  await peerClient.hset(KEYS.received, 'limit', 10_000_000);
  stop = new AbortController();
  running = Promise.resolve();
});

afterEach(async () => {
  stop.abort();
  proxy.delay(0);
  proxy.resume();
  await running.catch(() => {});
});

async function start(options: Partial<CourierOptions> = {}): Promise<void> {
  list = new ChangeList({
    notedThrough: () => undefined,
    overwritten: () => '0',
    client: ownClient,
    keys: KEYS,
    token: TOKEN,
    pair: 'test',
    site: 'east',
    epoch: EPOCH,
    next: 1,
    last: 0,
    trimmed: 0,
    gaps: { dropped: () => {} },
    bytes: 0,
    maxBytes: 1e9,
    log: SILENT,
  });
  list.run(stop.signal, { clock: { last: 1 }, stream: { resume: () => {} } }).catch(() => {});
  client = open({ url: `redis://127.0.0.1:${proxy.port}`, backoffMinMs: 5, backoffMaxMs: 20 });
  courier = new Courier({
    client,
    keys: KEYS,
    pair: PAIR,
    site: 'east',
    peer: 'west',
    epoch: EPOCH,
    list,
    log: SILENT,
    heartbeatMs: 10,
    backoffMinMs: 5,
    pauses: { since: () => undefined },
    backoffMaxMs: 20,
    progress: { seen: { epoch: 1, sequence: 9 }, isSettled: true, readThrough: { offset: 0 } },
    clock: { last: 1 },
    clockSkewWarnMs: 1000,
    wanBytesPerSecond: 0,
    next: 1,
    peerHistory: () => Promise.resolve({ applied: 0, received: 0, receivedEpoch: 0 }),
    events: { gap: () => {}, adopted: () => {} },
    ...options,
  });
  running = courier.run(stop.signal);
  running.catch(() => {});
}

function write(from: number, to: number): void {
  for (let n = from; n <= to; n++) {
    const position = { replid: 'r', offset: n, database: 0, seen: 0, seenEpoch: 1 };
    const bytes = batchOf(n, 1, { origin: 'east' });
    list.enqueue({ bytes, first: n, changes: 1, timestamp: n, position });
  }
}

async function expectDelivered(count: number): Promise<void> {
  await until(
    `${count} batches to be delivered`,
    async () => (await peerClient.hget(KEYS.received, 'n')) === String(count),
  );
  const batches = await peerClient.lrangeBuffer(KEYS.inbox, 0, -1);
  expect(batches).toEqual(await ownClient.lrangeBuffer(KEYS.changes, 0, -1));
}

async function is(state: string, detail?: RegExp): Promise<void> {
  await until(
    `it to be ${state}`,
    () => courier.state === state && (detail === undefined || detail.test(courier.detail ?? '')),
  );
}

test('carries every batch once and in order, and is caught up then', async () => {
  await start();
  write(1, 300);
  await expectDelivered(300);
  await is('caught-up');
  expect(courier.delivered).toBe(300);
  expect(courier.sent.changes).toBe(300);
});

/** West's process says what it can unpack, as one does that begins to work there. */
async function westReads(...algorithms: string[]): Promise<void> {
  const startedAt = await peerClient.hincrby(KEYS.site, 'startedAt', 1);
  await peerClient.hset(KEYS.site, 'reads', [startedAt, ...algorithms].join(' '));
}

/** The same batches as {@link write}, packed. */
function writePacked(from: number, to: number, algorithm: Algorithm): void {
  for (let n = from; n <= to; n++) {
    const position = { replid: 'r', offset: n, database: 0, seen: 0, seenEpoch: 1 };
    const { payload, ...header } = decodeBatch(batchOf(n, 20, { origin: 'east', changes: 1 }));
    const packing = { algorithm, bytes: payload.length };
    const bytes = encodeSealed({ ...header, packing, body: pack(algorithm, payload) });
    list.enqueue({ bytes, first: n, changes: 1, timestamp: n, position });
  }
}

async function deliveredAs(count: number): Promise<string[]> {
  await until(
    `${count} batches to be delivered`,
    async () => (await peerClient.hget(KEYS.received, 'n')) === String(count),
  );
  const batches = await peerClient.lrangeBuffer(KEYS.inbox, 0, -1);
  const kept = await ownClient.lrangeBuffer(KEYS.changes, 0, -1);
  expect(batches.map((bytes) => decodeBatch(bytes))).toEqual(kept.map((bytes) => decodeBatch(bytes)));
  expect(Number(await peerClient.hget(KEYS.received, 'bytes'))).toBe(
    batches.reduce((sum, bytes) => sum + bytes.length, 0),
  );
  return batches.map((bytes) => decodeSealed(bytes).packing?.algorithm ?? 'plain');
}

test('carries batches packed to a peer that reads them, and counts both sizes', async () => {
  await westReads('deflate-raw', 'brotli');
  await start();
  writePacked(1, 1, 'brotli');
  writePacked(2, 2, 'deflate-raw');
  write(3, 3);
  expect(await deliveredAs(3)).toEqual(['brotli', 'deflate-raw', 'plain']);
  const kept = await ownClient.lrangeBuffer(KEYS.changes, 0, -1);
  await until('all to be answered', () => courier.sent.changes === 3);
  expect(courier.sent.bytes).toBe(kept.reduce((sum, bytes) => sum + bytes.length, 0));
  expect(courier.sent.plainBytes).toBe(kept.reduce((sum, bytes) => sum + plainLength(bytes), 0));
  expect(courier.sent.plainBytes).toBeGreaterThan(courier.sent.bytes);
});

test('unpacks for a peer that has not said that it reads it', async () => {
  await westReads('deflate-raw');
  await start();
  writePacked(1, 1, 'brotli');
  writePacked(2, 2, 'deflate-raw');
  expect(await deliveredAs(2)).toEqual(['plain', 'deflate-raw']);
});

test('unpacks when another version begins to work at the peer meanwhile, which has left what was said before', async () => {
  await westReads('deflate-raw', 'brotli');
  await start();
  writePacked(1, 2, 'brotli');
  expect(await deliveredAs(2)).toEqual(['brotli', 'brotli']);
  await peerClient.hincrby(KEYS.site, 'startedAt', 1);
  writePacked(3, 9, 'brotli');
  expect(await deliveredAs(9)).toEqual(['brotli', 'brotli', ...Array.from({ length: 7 }, () => 'plain')]);
  expect(courier.peerReads).toEqual([]);
  expect(courier.state).not.toBe('backing-off');
});

test('sends the script that delivers once, and again when the server has forgotten it', async () => {
  await start();
  write(1, 3);
  await expectDelivered(3);
  await peerClient.config('RESETSTAT');
  write(4, 200);
  await expectDelivered(200);
  const calls = async (name: string): Promise<number> =>
    Number(new RegExp(`cmdstat_${name}:calls=(\\d+)`).exec(await peerClient.info('commandstats'))?.[1] ?? 0);
  expect(await calls('evalsha')).toBe(197);
  for (let from = 201; from <= 400; from += 50) {
    await peerClient.script('FLUSH');
    write(from, from + 49);
    await until('some of it to be on its way', () => list.appendedThrough >= from + 20);
  }
  await expectDelivered(400);
  expect(courier.sent.changes).toBe(400);
  expect(courier.state).not.toBe('backing-off');
});

test('does not let a batch wait for the answer to the one before it', async () => {
  await start();
  await is('caught-up');
  await until('all to be told that is to be told', () => peerClient.hexists(KEYS.received, 'beat'));
  await new Promise(setImmediate);
  const ONE_WAY_MS = 400;
  proxy.delay(ONE_WAY_MS);
  write(1, 1);
  await until('the first to be on its way', () => list.appendedThrough >= 1);
  // The next turn of the loop sends what is in the list.
  await new Promise(setImmediate);
  const began = performance.now();
  write(2, 2);
  await expectDelivered(2);
  // With the answer it would be three ways.
  expect(performance.now() - began).toBeLessThan(ONE_WAY_MS * 2.5);
});

test('carries every batch once and in order over a connection that breaks again and again', async () => {
  await start();
  for (let from = 1; from <= 1000; from += 100) {
    write(from, from + 99);
    await until('some of it to be on its way', () => list.appendedThrough >= from + 50);
    proxy.reset();
  }
  await expectDelivered(1000);
});

test('goes back when the peer has less than it was known to have', async () => {
  await start();
  write(1, 10);
  await expectDelivered(10);
  await peerClient.del(KEYS.inbox);
  await peerClient.hset(KEYS.received, 'n', 0, 'bytes', 0);
  write(11, 12);
  await expectDelivered(12);
});

test('asks again when what it sent before arrives behind its question and is acknowledged', async () => {
  let gaps = 0;
  await start({ events: { gap: () => gaps++, adopted: () => {} } });
  write(1, 5);
  await expectDelivered(5);
  // What the peer answers is from before the last three came.
  await peerClient.hset(KEYS.received, 'n', 2);
  await peerClient.config('RESETSTAT');
  proxy.reset();
  proxy.delay(100);
  await until('the peer to be asked', async () =>
    /cmdstat_hmget/.test(await peerClient.info('commandstats')),
  );
  await peerClient.hset(KEYS.received, 'n', 5);
  await list.trim(5);
  write(6, 7);
  await until('the next to be delivered', async () => (await peerClient.hget(KEYS.received, 'n')) === '7');
  expect(gaps).toBe(0);
});

test('waits while the inbox is full, and goes on when there is room', async () => {
  await peerClient.hset(KEYS.received, 'limit', 1000);
  await start();
  write(1, 50);
  await is('backing-off', /inbox is full/);
  expect(await peerClient.llen(KEYS.inbox)).toBeLessThan(50);
  await peerClient.hset(KEYS.received, 'limit', 10_000_000);
  await expectDelivered(50);
});

test('says why it cannot deliver, and does when it can', async () => {
  await peerClient.del(KEYS.received);
  await start();
  write(1, 3);
  await is('backing-off', /no Tandem process has worked/);
  await openFresh(peerClient, 'west');
  await peerClient.hset(KEYS.received, 'origin', `${PAIR}/north`);
  await is('backing-off', /pairs with test\/north/);
  await peerClient.hset(KEYS.received, 'origin', `${PAIR}/east`);
  proxy.cut();
  await is('backing-off', /127\.0\.0\.1/);
  proxy.resume();
  await peerClient.hset(KEYS.received, 'limit', 10_000_000);
  await expectDelivered(3);
});

test('ends when the peer has received more of this site than it knows of itself', async () => {
  await peerClient.hset(KEYS.received, 'epoch', EPOCH, 'n', 77);
  await start();
  await expect(running).rejects.toMatchObject({ code: 'EPOCH', details: { received: 77 } });
});

test('tells what was applied once there is nothing to send, and then is silent', async () => {
  await start();
  await until('the heartbeat', async () => (await peerClient.hget(KEYS.received, 'beatSeen')) === '9');
  await peerClient.hdel(KEYS.received, 'beatSeen');
  await new Promise((resolve) => {
    setTimeout(resolve, 100);
  });
  expect(await peerClient.hexists(KEYS.received, 'beatSeen')).toBe(0);
});

test('has no more on the way than its bound, when answers come one by one and much waits', async () => {
  let isPaused = true;
  await start({ pauses: { since: () => (isPaused ? 1 : undefined) } });
  write(1, 1500);
  await until('all to be in the change list', () => list.appendedThrough === 1500);
  proxy.throttle(1_000_000);
  let most = 0;
  const look = setInterval(() => (most = Math.max(most, unanswered())), 1);
  try {
    isPaused = false;
    await expectDelivered(1500);
  } finally {
    clearInterval(look);
    proxy.throttle(Infinity);
  }
  expect(most).toBeGreaterThan(500);
  // A question to the clock of the peer may be among them.
  expect(most).toBeLessThanOrEqual(512 + 2);
});

/** Commands of the courier that have no answer yet. */
function unanswered(): number {
  return (client as unknown as { readonly commandQueue: { readonly length: number } }).commandQueue.length;
}
