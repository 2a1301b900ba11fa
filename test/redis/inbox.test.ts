import type { Redis } from 'ioredis';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { Inbox } from '../../src/queue/inbox.js';
import { type TestServer, startServer } from '../support/server.js';
import { KEYS, PAIR, SILENT, TOKEN, batchOf, deliver, openFresh } from './own-keys.js';

/** What one read of the list brings. */
const READ = 16;

let server: TestServer;
let client: Redis;

beforeAll(async () => {
  server = await startServer();
  client = server.client();
});

afterAll(() => server.stop());

beforeEach(async () => {
  await openFresh(client);
  await client.hset(KEYS.received, 'limit', 10_000_000);
});

function inboxAfter(sequence: number): Inbox {
  return new Inbox({
    client,
    keys: KEYS,
    pair: PAIR,
    peer: 'west',
    applied: { epoch: sequence === 0 ? 0 : 1, sequence },
    token: TOKEN,
    log: SILENT,
  });
}

/** Delivers batches of one change each; gives them. */
async function deliverEach(from: number, to: number): Promise<Buffer[]> {
  const batches: Buffer[] = [];
  for (let n = from; n <= to; n++) {
    const batch = batchOf(n, 1);
    expect((await deliver(client, batch, { first: n, last: n }))[0], `batch ${n}`).toBe('accepted');
    batches.push(batch);
  }
  return batches;
}

/** Takes all there is, one after another, without settling any. */
async function takeAll(inbox: Inbox): Promise<number[]> {
  const taken: number[] = [];
  for (let batch = await inbox.next(); batch; batch = await inbox.next()) taken.push(batch.first);
  return taken;
}

test('gives what lies in the list, in order, however long it is', async () => {
  await deliverEach(1, 3 * READ + 1);
  const inbox = inboxAfter(0);
  expect(await takeAll(inbox)).toEqual(Array.from({ length: 3 * READ + 1 }, (_, index) => index + 1));
});

test('leaves out what was applied before', async () => {
  await deliverEach(1, 5);
  await client.ltrim(KEYS.inbox, 3, -1);
  expect(await takeAll(inboxAfter(3))).toEqual([4, 5]);
});

test('takes deliveries from the stream once it has read the list, and each one once', async () => {
  const inbox = inboxAfter(0);
  expect(await inbox.next()).toBeUndefined();
  const batches = await deliverEach(1, 4);
  for (const batch of [...batches, ...batches]) inbox.delivered(batch);
  expect(await takeAll(inbox)).toEqual([1, 2, 3, 4]);
});

test('goes back to the list for a delivery it has missed in the stream', async () => {
  const inbox = inboxAfter(0);
  await inbox.next();
  const batches = await deliverEach(1, 4);
  inbox.delivered(batches[0]!);
  inbox.delivered(batches[3]!);
  expect(await takeAll(inbox)).toEqual([1, 2, 3, 4]);
});

test('finds a batch although others were taken off the list while it was looking', async () => {
  await deliverEach(1, READ + 1);
  const inbox = inboxAfter(0);
  for (let i = 0; i < READ; i++) expect((await inbox.next())?.first).toBe(i + 1);
  // The server has applied the first batches and taken them off; the answers have not come yet.
  await client.ltrim(KEYS.inbox, READ, -1);
  const early = await inbox.next();
  for (let i = 0; i < READ; i++) inbox.settled();
  expect((early ?? (await inbox.next()))?.first).toBe(READ + 1);
});

test('asks for everything again that was received and is not in the list any more', async () => {
  await deliverEach(1, 4);
  await client.del(KEYS.inbox);
  const inbox = inboxAfter(2);
  await takeAll(inbox);
  expect(await client.hmget(KEYS.received, 'n', 'bytes')).toEqual(['2', '0']);
  await deliverEach(3, 4);
  expect(await takeAll(inbox)).toEqual([3, 4]);
});

test('stops at a batch that is damaged or belongs elsewhere, and says why', async () => {
  await deliverEach(1, 1);
  await client.rpush(KEYS.inbox, 'no batch');
  const inbox = inboxAfter(0);
  expect(await takeAll(inbox)).toEqual([1]);
  expect(inbox.fault?.code).toBe('BATCH_INVALID');
  await client.del(KEYS.inbox);
  await client.rpush(KEYS.inbox, batchOf(1, 1, { origin: 'north' }));
  const other = inboxAfter(0);
  expect(await takeAll(other)).toEqual([]);
  expect(other.fault?.code).toBe('WRONG_PAIR');
});
