import { Deadlines } from '../../src/local-writes/deadlines.js';
import { encodeCommand } from '../../src/redis-commands/encode-command.js';
import { beforeAll, describe, expect, test } from 'vitest';
import { sequencedCommands } from '../../src/protocol/payload.js';
import { Capture } from '../../src/capture/capture.js';
import type {
  CapturedBatch,
  ChangeSink,
  InternalEvents,
  LocalWriteNotes,
} from '../../src/capture/change-sink.js';
import { requestStream } from '../../src/capture/psync/request-stream.js';
import { decodeBatch } from '../../src/protocol/batch.js';
import { HybridClock } from '../../src/protocol/clock.js';
import { CommandReader } from '../../src/redis-commands/command-reader.js';
import { Filter } from '../../src/config/filter.js';
import type { Position } from '../../src/protocol/position.js';
import { RawConnection } from '../../src/redis/raw-connection.js';
import { samplesFor } from '../support/command-catalogue.js';
import { useServer } from '../support/use-server.js';
import { until } from '../support/wait.js';
import { EPOCH, KEYS, PAIR } from './internal-keys.js';

/** Positions at which a restart is tried, spread over the stream. */
const RESTARTS = 25;
const DELIVERED = Buffer.from('a batch of the peer');

const { redis: client, server } = useServer({ config: { 'repl-backlog-size': '64mb' } });
/** The stream of everything that `write` did, and where it begins. */
let stream: Buffer;
let start: Position;

beforeAll(async () => {
  start = await currentPosition();
  await write();
  stream = await bytesSince(start);
});

/** A change as it was numbered: sequence, database, words, and what the origin had seen. */
type Numbered = string;

interface Run {
  batches: CapturedBatch[];
  events: string[];
  changes: Numbered[];
  capture: Capture;
}

/** Reads the stream from a position in chunks of this size, cutting a batch after every `cutEvery` chunks. */
function capture(
  from: Position,
  nextSequence: number,
  { chunk, cutEvery }: { chunk: number; cutEvery: number },
): Run {
  const batches: CapturedBatch[] = [];
  const events: string[] = [];
  const heard = listener(batches, events);
  const made = new Capture({
    pair: PAIR,
    site: 'east',
    epoch: EPOCH,
    nextSequence,
    position: from,
    keys: KEYS,
    clock: new HybridClock(),
    filter: new Filter({
      databases: 'all',
      keysInclude: ['*'],
      keysExclude: [],
      commandsExclude: [],
      channelsInclude: ['*'],
      channelsExclude: [],
    }),
    flush: 'replicate',
    publish: true,
    functions: true,
    batchBytes: 64 * 1024,
    packer: { seal: (body) => ({ packing: undefined, body }) },
    maxChangeBytes: 1e9,
    batchCommands: 512,
    extraCommands: new Map(),
    deadlines: new Deadlines(),
    sink: heard,
    writes: heard,
    events: heard,
    now: () => 1_000_000,
  });
  const reader = new CommandReader();
  const bytes = stream.subarray(from.offset - start.offset);
  for (let at = 0, chunks = 0; at < bytes.length; at += chunk) {
    reader.push(Buffer.from(bytes.subarray(at, at + chunk)));
    made.read(reader);
    if (++chunks % cutEvery === 0) made.cut();
  }
  made.cut();
  return { batches, events, changes: batches.flatMap(numbered), capture: made };
}

function listener(batches: CapturedBatch[], events: string[]): ChangeSink & LocalWriteNotes & InternalEvents {
  return {
    batch: (batch) => batches.push(batch),
    write: () => {},
    named: () => {},
    popped: () => {},
    flushed: () => {},
    delivered: (bytes) => events.push(`delivered ${String(bytes)}`),
    rewound: (id) => events.push(`rewound ${id}`),
    heartbeat: (fields) => events.push(`beat ${fields.get('beat')} ${fields.get('beatSeen')}`),
    applied: (sequence, decided) => events.push(`applied ${sequence} ${decided}`),
    echoed: () => {},
    appliedEnd: () => [],
    writing: () => [],
    watchesWrites: false,
    mayWatch: () => false,
    answering: (args) => encodeCommand(args),
    told: () => {},
    marking: (args) => encodeCommand(args),
    barrier: (text) => events.push(`barrier ${text}`),
    keyspace: (event) => events.push(event),
    askedForAcknowledgement: () => {},
    tooLarge: () => {},
    skipped: (reason, command) => events.push(`skipped ${reason} ${command}`),
  };
}

function numbered({ bytes }: CapturedBatch): Numbered[] {
  const batch = decodeBatch(bytes);
  return [...sequencedCommands(batch)].map(({ sequence, command }) =>
    [sequence, batch.seen, command.database, ...command.args.map((word) => word.toString('latin1'))].join(
      ' ',
    ),
  );
}

describe('the numbers of changes', () => {
  test('depend on the stream alone, however it is cut into chunks and batches', () => {
    const whole = capture(start, 1, { chunk: stream.length, cutEvery: 1 });
    expect(whole.changes.length).toBeGreaterThan(500);
    for (const size of [
      { chunk: 1, cutEvery: 7 },
      { chunk: 1000, cutEvery: 1 },
      { chunk: 64 * 1024, cutEvery: 3 },
    ]) {
      const other = capture(start, 1, size);
      expect(other.changes).toEqual(whole.changes);
      expect(other.events).toEqual(whole.events);
      expect(other.capture.position).toEqual(whole.capture.position);
    }
  });

  test('are the same again after a restart at any saved position', () => {
    const whole = capture(start, 1, { chunk: 333, cutEvery: 1 });
    expect(whole.batches.length).toBeGreaterThan(100);
    const step = Math.ceil(whole.batches.length / RESTARTS);
    for (const [index, { position, first, changes }] of whole.batches.entries()) {
      if (index % step !== 0) continue;
      const before = whole.batches.slice(0, index + 1).flatMap(numbered);
      const resumed = capture(position, first + changes, { chunk: 5000, cutEvery: 2 });
      expect([...before, ...resumed.changes], `resumed at ${position.offset}`).toEqual(whole.changes);
    }
  });

  test('rise without a gap from batch to batch, and one batch rests on one knowledge of the peer', () => {
    const { batches, capture: made } = capture(start, 1, { chunk: 500, cutEvery: 2 });
    let next = 1;
    for (const { bytes, first, changes, position } of batches) {
      const batch = decodeBatch(bytes);
      expect({ first: batch.first, changes: batch.changes }).toEqual({ first: next, changes });
      expect(first).toBe(next);
      expect(position.seen).toBe(batch.seen);
      next += changes;
    }
    expect(made.nextSequence).toBe(next);
  });
});

test('an echo is skipped whole and moves what has been seen just there; internal keys never cross', () => {
  const { changes, events } = capture(start, 1, { chunk: 100, cutEvery: 1 });
  expect(changes.filter((change) => /echoed|tandem:\{test\}/.test(change))).toEqual([]);
  const seenAt = (key: string): string | undefined =>
    changes.find((change) => change.includes(key))?.split(' ')[1];
  expect([seenAt('before the echo'), seenAt('after the echo'), seenAt('after the bare marker')]).toEqual([
    '0',
    '41',
    '42',
  ]);
  expect(events).toEqual(
    expect.arrayContaining([
      'applied 41 7',
      'applied 42 8',
      `delivered ${String(DELIVERED)}`,
      'beat 5 6',
      'barrier 1',
    ]),
  );
});

test('a transaction is one change, and none of it stands in another batch', () => {
  const { batches } = capture(start, 1, { chunk: 50, cutEvery: 1 });
  const holding = batches.filter(({ bytes }) => bytes.includes('in one transaction'));
  expect(holding).toHaveLength(1);
  const batch = decodeBatch(holding[0]!.bytes);
  const inIt = [...sequencedCommands(batch)].filter(({ command }) =>
    command.args.some((word) => word.includes('in one transaction')),
  );
  expect(inIt).toHaveLength(2000);
  expect(new Set(inIt.map(({ sequence }) => sequence)).size).toBe(1);
});

/** Everything a stream can hold: the catalogue, transactions, other databases, internal keys, echoes. */
async function write(): Promise<void> {
  const info = await client.info('server');
  const version = /^redis_version:(\S+)/m.exec(info)?.[1] ?? '';
  const samples = samplesFor({ kind: 'redis', version }, 'captured:').filter(({ wide }) => !wide);
  await client.set('before the echo', 'x');
  await client
    .multi()
    .hset(KEYS.applied, 'epoch', 1, 'n', 41, 'decided', 7)
    .set('echoed', 'x')
    .select(4)
    .set('echoed', 'y')
    .publish('echoed', 'message')
    .select(0)
    .exec();
  await client.set('after the echo', 'x');
  await client.hset(KEYS.applied, 'epoch', 1, 'n', 42, 'decided', 8);
  await client.set('after the bare marker', 'x');
  await client.rpush(KEYS.inbox, DELIVERED);
  await client.hset(KEYS.received, 'beat', 5, 'beatSeen', 6, 'beatClock', 7);
  await client.set(KEYS.barrier, '1');
  await client.select(7);
  for (const { setup, command, database } of samples) {
    await client.select(database ?? 7);
    for (const [name, ...args] of [...setup, command]) await client.call(String(name), ...args);
  }
  const transaction = client.multi();
  for (let i = 0; i < 2000; i++) transaction.set(`${i} in one transaction`, i);
  await transaction.exec();
  await client.select(0);
  await client.set('last', 'x');
}

async function currentPosition(): Promise<Position> {
  // A server without a replica has no backlog and no stream: the first one begins it.
  const connection = await open();
  const { replid, offset } = await requestStream(connection);
  connection.close();
  return { replid, offset, database: 0, seen: 0, seenEpoch: 1 };
}

/** All of the stream from a position up to now. */
async function bytesSince(position: Position): Promise<Buffer> {
  const end = Number(/^master_repl_offset:(\d+)/m.exec(await client.info('replication'))?.[1]);
  const connection = await open();
  const { resumed } = await requestStream(connection, position);
  expect(resumed).toBe(true);
  const chunks: Buffer[] = [];
  connection.stream((bytes) => chunks.push(Buffer.from(bytes)));
  const length = (): number => chunks.reduce((sum, { length: each }) => sum + each, 0);
  await until('the whole stream', () => length() >= end - position.offset);
  connection.close();
  return Buffer.concat(chunks).subarray(0, end - position.offset);
}

function open(): Promise<RawConnection> {
  return RawConnection.open({
    address: { host: server().host, port: server().port, tls: false },
    name: 'test',
    connectTimeoutMs: 5000,
    signal: new AbortController().signal,
  });
}
