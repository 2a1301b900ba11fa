import { afterEach, beforeEach, expect, test } from 'vitest';
import { decodeBatch } from '../../src/protocol/batch.js';
import { ChangeList, type NewBatch } from '../../src/outbound/change-list.js';
import { useServer } from '../support/use-server.js';
import { until } from '../support/wait.js';
import { EPOCH, KEYS, TOKEN, batchOf, openFresh } from './internal-keys.js';
import { SILENT } from '../support/tandem-clients.js';

const FAR = 10_000;
const HOOKS = { clock: { last: 5 }, stream: { resume: () => {} } };

const { redis: client } = useServer();
let stop: AbortController;

beforeEach(async () => {
  await openFresh(client);
  stop = new AbortController();
});

afterEach(() => stop.abort());

function listAt(
  next: number,
  onDropped: (last: number, limitBytes: number) => void = () => {},
  { maxBytes = 1e9, cachedBytes }: { maxBytes?: number; cachedBytes?: number } = {},
): ChangeList {
  return new ChangeList({
    notedThrough: () => undefined,
    overwritten: () => '0',
    client,
    keys: KEYS,
    token: TOKEN,
    pair: 'test',
    site: 'east',
    epoch: EPOCH,
    next,
    last: next - 1,
    trimmed: 0,
    gaps: { dropped: onDropped },
    bytes: 0,
    maxBytes,
    cachedBytes,
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

/** A list at work with ten batches that were read once, and are not in memory. */
async function readOnce(maxBytes = 1e9): Promise<{ list: ChangeList; failed: Promise<unknown> }> {
  const list = listAt(1, () => {}, { maxBytes, cachedBytes: 0 });
  const failed = list.run(stop.signal, HOOKS).catch((error: unknown) => error);
  for (const batch of ones(10)) list.enqueue(batch);
  await list.waitFor(10, stop.signal);
  await readAll(list, 1);
  return { list, failed };
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
  await again.load(({ first }) => shown.push(first));
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
  await listWith(ones(3));
  const list = listAt(4);
  await list.load(() => {});
  await client.lset(KEYS.changes, 1, 'something else');
  await expect(list.read(1, FAR)).rejects.toMatchObject({ code: 'STATE_LOST' });
  await expect(listAt(3).load(() => {})).rejects.toMatchObject({
    code: expect.stringMatching(/STATE_LOST|BATCH_INVALID/),
  });
});

test('gives way at once when it may have less, without an append, and goes on behind it', async () => {
  const dropped: number[][] = [];
  const list = listAt(1, (...args) => dropped.push(args));
  list.run(stop.signal, HOOKS).catch(() => {});
  for (const batch of ones(10)) list.enqueue(batch);
  await list.waitFor(10, stop.signal);
  list.limitTo(list.bytes);
  list.limitTo(list.bytes - 1);
  await until('the list to be gone', async () => (await client.llen(KEYS.changes)) === 0);
  // What goes on meanwhile finds nothing amiss.
  await Promise.all([list.savePosition(newBatch(11, 1).position, 5), list.trim(5)]);
  expect(dropped).toMatchObject([[10, expect.any(Number)]]);
  expect(await client.hmget(KEYS.state, 'bytes', 'trimmed', 'next')).toEqual(['0', '10', '11']);
  list.enqueue(newBatch(11, 1));
  await list.waitFor(11, stop.signal);
  expect(await readAll(list, 11)).toEqual([11]);
});

test('neither trims nor saves a position while it gives way', async () => {
  const list = listAt(1, () => {});
  list.run(stop.signal, HOOKS).catch((error: unknown) => expect(error).toBe(stop.signal.reason));
  for (const batch of ones(10)) list.enqueue(batch);
  await list.waitFor(10, stop.signal);
  list.limitTo(1);
  // The loop that appends has woken and sent the drop when these are called.
  for (let turn = 0; turn < 20; turn++) {
    await Promise.resolve();
    await Promise.all([list.trim(turn), list.savePosition(newBatch(11, 1).position, 5)]);
  }
  await until('the list to be gone', async () => (await client.llen(KEYS.changes)) === 0);
  list.enqueue(newBatch(11, 1));
  await list.waitFor(11, stop.signal);
  expect(await readAll(list, 11)).toEqual([11]);
});

test('neither trims nor saves a position while it gives way, when a position was on its way before', async () => {
  const { list, failed } = await readOnce();
  const saving = list.savePosition(newBatch(11, 1).position, 5);
  // A long answer in between: that to the position is here long before that to the drop.
  const between = client.ping('x'.repeat(4 * 2 ** 20));
  list.limitTo(1);
  await saving;
  expect(list.batches).toBe(10);
  expect(await list.trim(5)).toBe(0);
  await list.savePosition(newBatch(11, 1).position, 5);
  await between;
  await until('the list to be gone', () => list.batches === 0);
  expect(list.trimmed).toBe(10);
  stop.abort();
  expect(await failed).toBe(stop.signal.reason);
});

test('gives nothing of what it has let go to those that read meanwhile, and finds nothing amiss', async () => {
  const { list } = await readOnce();
  list.limitTo(1);
  // Some are sent before the drop, the others after it.
  const reads = [];
  for (let turn = 0; turn < 20; turn++) {
    reads.push(list.read(3, FAR), list.fetch(3));
    await Promise.resolve();
  }
  const found = await Promise.all(reads);
  expect(found[0]).toMatchObject([{ first: 3 }, ...Array.from({ length: 7 }, () => ({}))]);
  expect(found.slice(-2)).toEqual([[], undefined]);
  list.limitTo(1e9);
  list.enqueue(newBatch(11, 1));
  await list.waitFor(11, stop.signal);
  expect(await readAll(list, 11)).toEqual([11]);
});

test('gives what was appended to those that read while a larger append drops what was before', async () => {
  const { list } = await readOnce(3000);
  list.enqueue(newBatch(11, 1, Buffer.alloc(3000)));
  const reads = [];
  for (let turn = 0; turn < 20; turn++) {
    reads.push(list.read(3, FAR), list.fetch(3));
    await Promise.resolve();
  }
  await Promise.all(reads);
  await list.waitFor(11, stop.signal);
  expect(list.batches).toBe(1);
  expect(await readAll(list, 3)).toEqual([11]);
});

test('keeps a single batch that is larger than its bound when a position is saved behind it', async () => {
  const list = listAt(1, () => {}, { maxBytes: 100 });
  list.run(stop.signal, HOOKS).catch(() => {});
  list.enqueue(newBatch(1, 1, Buffer.alloc(1000)));
  await list.waitFor(1, stop.signal);
  list.limitTo(1e9);
  await list.savePosition(newBatch(2, 1).position, 5);
  expect(await readAll(list, 1)).toEqual([1]);
});
