import { beforeEach, expect, test, vi } from 'vitest';
import { decodeBatch, encodeBatch, encodeSealed } from '../../src/protocol/batch.js';
import { pack } from '../../src/protocol/packing.js';
import { encodeCommand } from '../../src/redis-commands/encode-command.js';
import { Inbox } from '../../src/inbound/inbox.js';
import { keyNames } from '../../src/redis/keys.js';
import { useServer } from '../support/use-server.js';
import { SILENT } from '../support/tandem-clients.js';

const PAIR = 'test';
const PEER = 'east';
const TOKEN = 7;
const KEYS = keyNames({ prefix: 'tandem', pair: PAIR });

const { redis: client } = useServer({ isEmptied: true });

beforeEach(() => client.set(KEYS.fence, TOKEN));

/** A batch of one change. */
function batch(epoch: number, sequence: number): Buffer {
  return encodeBatch({
    pair: PAIR,
    origin: PEER,
    epoch,
    first: sequence,
    changes: 1,
    commands: 1,
    timestamp: 1,
    seenEpoch: 0,
    seen: 0,
    special: 0,
    groups: [],
    payload: encodeCommand(['SET', 'key', String(sequence)]),
  });
}

function inboxBehind(sequence: number): Inbox {
  return new Inbox({
    client,
    keys: KEYS,
    pair: PAIR,
    peer: PEER,
    applied: { epoch: 1, sequence },
    token: TOKEN,
    log: SILENT,
  });
}

async function delivered(...batches: (readonly [epoch: number, sequence: number])[]): Promise<void> {
  for (const [epoch, sequence] of batches) await client.rpush(KEYS.inbox, batch(epoch, sequence));
  const [epoch, n] = batches.at(-1)!;
  await client.hset(KEYS.received, { epoch, n, bytes: 1, origin: `${PAIR}/${PEER}`, limit: 1000 });
}

async function firstOf(inbox: Inbox): Promise<number | undefined> {
  return (await inbox.next())?.first;
}

/** Its first batch has been taken off the list, and nobody has heard of that: read from the second place, the list begins with the third. */
async function inboxWithOneOut(): Promise<Inbox> {
  await delivered([1, 1]);
  const inbox = inboxBehind(0);
  expect(await firstOf(inbox)).toBe(1);
  await delivered([2, 100], [2, 101]);
  inbox.delivered(batch(2, 100));
  await client.lpop(KEYS.inbox);
  return inbox;
}

test('a new epoch that goes by in the stream does not overtake what waits in the list', async () => {
  await delivered([1, 1], [1, 2], [2, 100]);
  const inbox = inboxBehind(0);
  const first = firstOf(inbox);
  // The stream shows it before the list has been answered.
  inbox.delivered(batch(2, 100));
  expect([await first, await firstOf(inbox), await firstOf(inbox), await firstOf(inbox)]).toEqual([
    1,
    2,
    100,
    undefined,
  ]);
});

test('a new epoch is taken only when nothing that was handed out can still be in the list', async () => {
  const inbox = await inboxWithOneOut();
  expect(await firstOf(inbox)).toBeUndefined();
  inbox.settled();
  expect([await firstOf(inbox), await firstOf(inbox)]).toEqual([100, 101]);
});

test('a batch behind a cut is taken, one behind a hole that nobody knows of is asked for again', async () => {
  await delivered([1, 50]);
  await client.hset(KEYS.received, 'cut', 50);
  expect(await firstOf(inboxBehind(3))).toBe(50);
  await client.hset(KEYS.received, 'cut', 40);
  expect(await firstOf(inboxBehind(3))).toBeUndefined();
  expect(await client.hget(KEYS.received, 'n')).toBe('3');
});

test('an inbox that begins with a batch applied already is delivered again', async () => {
  await delivered([1, 1], [1, 2], [1, 3]);
  const inbox = inboxBehind(2);
  await inbox.begin();
  expect(await client.hmget(KEYS.received, 'n', 'bytes')).toEqual(['2', '0']);
  expect(await client.exists(KEYS.inbox)).toBe(0);
  await delivered([1, 3]);
  expect(await firstOf(inbox)).toBe(3);
});

test('what goes by in the stream while the list is read is no reason to have it delivered again', async () => {
  await delivered([1, 1]);
  const inbox = inboxBehind(0);
  const first = firstOf(inbox);
  inbox.delivered(batch(1, 1));
  expect(await first).toBe(1);
  expect(await client.llen(KEYS.inbox)).toBe(1);
  expect(await client.hget(KEYS.received, 'rewound')).toBeNull();
});

test('nor is what goes by while it is looked whether the list is empty', async () => {
  await client.hset(KEYS.received, { epoch: 1, n: 0 });
  const inbox = inboxBehind(0);
  expect(await firstOf(inbox)).toBeUndefined();
  await delivered([1, 1]);
  const now = performance.now();
  vi.spyOn(performance, 'now').mockReturnValue(now + 5000);
  const first = firstOf(inbox);
  inbox.delivered(batch(1, 1));
  expect(await first).toBe(1);
  vi.restoreAllMocks();
  expect(await client.llen(KEYS.inbox)).toBe(1);
});

test('at rest it is found that more was noted as received than stands in the list', async () => {
  await client.hset(KEYS.received, { epoch: 1, n: 0 });
  const inbox = inboxBehind(0);
  expect(await firstOf(inbox)).toBeUndefined();
  await client.hset(KEYS.received, { n: 1 });
  vi.spyOn(performance, 'now').mockReturnValue(performance.now() + 5000);
  expect(await firstOf(inbox)).toBeUndefined();
  vi.restoreAllMocks();
  expect(await client.hmget(KEYS.received, 'n', 'rewound')).toEqual(['0', expect.any(String)]);
});

test('a batch that was taken off while the list is read does not make the list begin with a later one', async () => {
  const inbox = await inboxWithOneOut();
  const second = firstOf(inbox);
  // The answer comes before that of the list, which was read from the second place on.
  inbox.settled();
  expect([await second, await firstOf(inbox), await firstOf(inbox)]).toEqual([undefined, 100, 101]);
});

test('what went by before the peer is asked to deliver again is not taken, what is delivered after it is', async () => {
  await delivered([1, 1], [1, 2]);
  await client.del(KEYS.inbox);
  const inbox = inboxBehind(0);
  expect(await firstOf(inbox)).toBeUndefined();
  const { n, rewound } = await client.hgetall(KEYS.received);
  expect([n, Number.isSafeInteger(Number(rewound))]).toEqual(['0', true]);
  // The stream is a little late.
  inbox.delivered(batch(1, 1));
  expect(await firstOf(inbox)).toBeUndefined();
  await delivered([1, 1]);
  inbox.rewound('that of a process before');
  expect(await firstOf(inbox)).toBeUndefined();
  inbox.rewound(rewound!);
  inbox.delivered(batch(1, 1));
  expect([await firstOf(inbox), await firstOf(inbox)]).toEqual([1, undefined]);
});

/** A batch of one change whose payload is packed, as `body` if that is given. */
function packedBatch(sequence: number, body?: Buffer): Buffer {
  const { payload, ...header } = decodeBatch(batch(1, sequence));
  const packing = { algorithm: 'brotli', bytes: payload.length } as const;
  return encodeSealed({ ...header, packing, body: body ?? pack('brotli', payload) });
}

/** Nothing was delivered yet, and the list was looked at. */
async function emptyInbox(): Promise<Inbox> {
  await client.hset(KEYS.received, { epoch: 1, n: 0, bytes: 0, origin: `${PAIR}/${PEER}`, limit: 1000 });
  const inbox = inboxBehind(0);
  expect(await firstOf(inbox)).toBeUndefined();
  return inbox;
}

test('a packed batch is handed out unpacked, with the length of its element', async () => {
  const inbox = await emptyInbox();
  const element = packedBatch(1);
  inbox.delivered(element);
  expect(inbox.bytes).toBe(element.length);
  const plain = decodeBatch(batch(1, 1));
  expect(await inbox.next()).toMatchObject({ ...plain, length: element.length });
});

test('what cannot be unpacked stops the inbox when its turn comes, and what comes before it is handed out', async () => {
  const inbox = await emptyInbox();
  inbox.delivered(packedBatch(1));
  inbox.delivered(packedBatch(2, Buffer.from('no brotli')));
  inbox.delivered(packedBatch(3));
  expect(await firstOf(inbox)).toBe(1);
  expect(inbox.fault).toBeUndefined();
  expect(await firstOf(inbox)).toBeUndefined();
  expect(inbox.fault).toMatchObject({ code: 'BATCH_INVALID' });
  expect(await firstOf(inbox)).toBeUndefined();
});
