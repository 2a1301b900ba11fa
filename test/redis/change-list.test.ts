import type { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { decodeBatch } from '../../src/change/batch.js';
import { ChangeList, type NewBatch } from '../../src/queue/change-list.js';
import { type TestServer, startServer } from '../support/server.js';
import { EPOCH, KEYS, SILENT, TOKEN, batchOf, openFresh } from './own-keys.js';

const FAR = 10_000;
const HOOKS = { clock: () => 5, onAppended: () => {} };

let server: TestServer;
let client: Redis;
let stop: AbortController;

beforeAll(async () => {
  server = await startServer();
  client = server.client();
});

afterAll(() => server.stop());

beforeEach(async () => {
  await openFresh(client);
  stop = new AbortController();
});

afterEach(() => stop.abort());

function listAt(next: number): ChangeList {
  return new ChangeList({
    client,
    keys: KEYS,
    token: TOKEN,
    pair: 'test',
    site: 'east',
    epoch: EPOCH,
    next,
    last: next - 1,
    trimmed: 0,
    onDropped: () => {},
    bytes: 0,
    maxBytes: 1e9,
    log: SILENT,
  });
}

function newBatch(first: number, changes: number, payload?: Buffer): NewBatch {
  const bytes = batchOf(first, changes, { origin: 'east', ...(payload ? { payload } : {}) });
  const position = { replid: 'replid', offset: first * 10, database: 0, seen: 0, seenEpoch: 1 };
  return { bytes, first, changes, timestamp: first, position };
}

/** A list at work with batches of one change each, all appended. */
async function listWith(batches: readonly NewBatch[]): Promise<ChangeList> {
  const list = listAt(1);
  list.run(stop.signal, HOOKS).catch(() => {});
  for (const batch of batches) list.enqueue(batch);
  const last = batches.at(-1)!;
  await list.waitFor(last.first + last.changes - 1, stop.signal);
  return list;
}

function ones(count: number, payload?: Buffer): NewBatch[] {
  return Array.from({ length: count }, (_, index) => newBatch(index + 1, 1, payload));
}

/** Reads everything from a sequence on, as the courier does. */
async function readAll(list: ChangeList, from: number, maxBytes = FAR): Promise<number[]> {
  const found: number[] = [];
  for (let next = from; next <= list.appendedThrough;) {
    const batches = await list.read(next, maxBytes);
    for (const batch of batches) {
      expect(decodeBatch(batch.bytes).first).toBe(batch.first);
      found.push(batch.first);
      next = batch.last + 1;
    }
  }
  return found;
}

test('gives what was appended in order, from any sequence on, from memory and from Redis', async () => {
  const list = await listWith(ones(100));
  const all = Array.from({ length: 100 }, (_, index) => index + 1);
  expect(await readAll(list, 1)).toEqual(all);
  // What was read once is no longer in memory.
  expect(await readAll(list, 1)).toEqual(all);
  expect(await readAll(list, 61)).toEqual(all.slice(60));
});

test('keeps no more in memory than it may, and loses nothing by that', async () => {
  const megabyte = Buffer.alloc(2 ** 20);
  const list = await listWith(ones(30, megabyte));
  expect(await client.llen(KEYS.changes)).toBe(30);
  expect(await readAll(list, 1, 3 * 2 ** 20)).toEqual(Array.from({ length: 30 }, (_, index) => index + 1));
});

test('takes off what the peer has applied, whole batches only, and goes on being read rightly', async () => {
  const batches = [newBatch(1, 3), newBatch(4, 3), newBatch(7, 1)];
  const list = await listWith(batches);
  expect(await list.trim(2)).toBe(0);
  expect(await list.trim(5)).toBe(1);
  expect(await list.trim(5)).toBe(0);
  expect(await readAll(list, 4)).toEqual([4, 7]);
  expect(await list.trim(7)).toBe(2);
  expect(await client.llen(KEYS.changes)).toBe(0);
  expect(await client.hget(KEYS.state, 'bytes')).toBe('0');
});

test('reads the right batches although others are taken off meanwhile', async () => {
  const list = await listWith(ones(64));
  await readAll(list, 1);
  const reads = [];
  for (let seen = 1; seen <= 40; seen++)
    reads.push(
      list.trim(seen),
      list.read(seen + 1, FAR).then(([batch]) => expect(batch?.first).toBe(seen + 1)),
    );
  await Promise.all(reads);
});

test('is after a restart what it was, with the position behind its last batch', async () => {
  await listWith(ones(40));
  const { next, offset } = await client.hgetall(KEYS.state);
  expect({ next, offset }).toEqual({ next: '41', offset: '400' });
  const again = listAt(41);
  const shown: number[] = [];
  await again.load((bytes) => shown.push(decodeBatch(bytes).first));
  expect(shown).toHaveLength(40);
  expect(await readAll(again, 1)).toEqual(shown);
});

test('does not append for a process that is not the one at work, and says so', async () => {
  await client.incr(KEYS.fence);
  const list = listAt(1);
  list.enqueue(newBatch(1, 1));
  await expect(list.run(stop.signal, HOOKS)).rejects.toMatchObject({ code: 'FENCED' });
  expect(await client.exists(KEYS.changes)).toBe(0);
});

test('does not work on with a list that is not what was appended', async () => {
  const list = await listWith(ones(3));
  await readAll(list, 1);
  await client.lset(KEYS.changes, 1, 'something else');
  await expect(list.read(1, FAR)).rejects.toMatchObject({ code: 'STATE_LOST' });
  await expect(listAt(3).load(() => {})).rejects.toMatchObject({
    code: expect.stringMatching(/STATE_LOST|BATCH_INVALID/),
  });
});
