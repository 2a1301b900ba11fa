import { Deadlines } from '../../../src/local-writes/deadlines.js';
import { encodeCommand } from '../../../src/redis-commands/encode-command.js';
/** Runs capture over bytes and keeps what it hands out, in a form that is easy to compare. */

import { Capture } from '../../../src/capture/capture.js';
import type { CaptureOptions } from '../../../src/capture/capture-options.js';
import type {
  CapturedBatch,
  ChangeSink,
  InternalEvents,
  LocalWriteNotes,
} from '../../../src/capture/change-sink.js';
import { decodeBatch } from '../../../src/protocol/batch.js';
import { HybridClock } from '../../../src/protocol/clock.js';
import { CommandReader } from '../../../src/redis-commands/command-reader.js';
import { Filter, type FilterOptions } from '../../../src/config/filter.js';
import type { Position } from '../../../src/protocol/position.js';
import { KEYS, NOW, type ExpectedChange } from './stream-story.js';

export const BEGINNING: Position = { replid: 'r', offset: 1000, database: 0, seen: 0, seenEpoch: 2 };

export interface Captured {
  readonly capture: Capture;
  readonly batches: readonly CapturedBatch[];
  readonly heard: readonly string[];
  /** `low high sequence effect`. */
  readonly writes: readonly string[];
  readonly skipped: readonly string[];
}

export interface RunOptions extends Partial<Omit<CaptureOptions, 'filter'>> {
  readonly filter?: Partial<FilterOptions>;
  /** Called behind each chunk. */
  readonly afterChunk?: (index: number, capture: Capture) => void;
}

/** A capture that has read the chunks; what is gathered at the end is cut. */
export function captured(chunks: readonly Buffer[], options: RunOptions = {}): Captured {
  const { filter, afterChunk, ...others } = options;
  const batches: CapturedBatch[] = [];
  const heard: string[] = [];
  const writes: string[] = [];
  const skipped: string[] = [];
  const listener: ChangeSink & LocalWriteNotes & InternalEvents = {
    batch: (batch) => batches.push(batch),
    write: (low, high, sequence, effect) => writes.push(`${low} ${high} ${sequence} ${effect}`),
    named: () => {},
    popped: ({ key }, end) => heard.push(`popped ${key.toString()} ${end}`),
    flushed: () => {},
    delivered: (bytes) => heard.push(`delivered ${bytes.toString()}`),
    rewound: (id) => heard.push(`rewound ${id}`),
    heartbeat: (fields) => heard.push(`acknowledged ${fields.get('beat')} ${fields.get('beatSeen')}`),
    told: (text) => heard.push(`told ${text}`),
    applied: (sequence, decided) => heard.push(`applied ${sequence} ${decided}`),
    echoed: () => {},
    appliedEnd: () => [],
    writing: () => [],
    watchesWrites: false,
    mayWatch: () => false,
    answering: (args) => encodeCommand(args),
    marking: (args) => encodeCommand(args),
    barrier: (text) => heard.push(`barrier ${text}`),
    keyspace: (what, databases) => heard.push(`${what} ${databases.join()}`),
    askedForAcknowledgement: () => {},
    tooLarge: (bytes) => heard.push(`too large ${bytes}`),
    skipped: (reason, command) => skipped.push(`${reason} ${command}`),
  };
  const capture = new Capture({
    pair: 'test',
    site: 'east',
    epoch: 1,
    nextSequence: 1,
    position: BEGINNING,
    keys: KEYS,
    clock: new HybridClock(0, () => NOW),
    filter: new Filter({
      databases: 'all',
      keysInclude: ['*'],
      keysExclude: [],
      commandsExclude: [],
      channelsInclude: ['*'],
      channelsExclude: [],
      ...filter,
    }),
    flush: 'ignore',
    publish: true,
    functions: true,
    batchBytes: 65_536,
    batchCommands: 512,
    packer: { seal: (body) => ({ packing: undefined, body }) },
    maxChangeBytes: 1e9,
    extraCommands: new Map(),
    deadlines: new Deadlines(),
    sink: listener,
    writes: listener,
    events: listener,
    now: () => NOW,
    ...others,
  });
  const reader = new CommandReader();
  for (const [index, chunk] of chunks.entries()) {
    reader.push(chunk);
    capture.read(reader);
    // The socket fills the same memory again.
    chunk.fill(0x2a);
    afterChunk?.(index, capture);
  }
  capture.cut();
  return { capture, batches, heard, writes, skipped };
}

/** Every change of the batches: its commands with their databases, and the `seen` of its batch. Numbers must have no gap. */
export function changesOf(batches: readonly CapturedBatch[], first = 1): ExpectedChange[] {
  const changes: ExpectedChange[] = [];
  for (const { bytes, ...header } of batches) {
    const batch = decodeBatch(bytes);
    if (
      batch.first !== first + changes.length ||
      batch.first !== header.first ||
      batch.changes !== header.changes
    )
      throw new Error(`batch ${batch.first} does not follow on ${first + changes.length - 1}`);
    const commands = commandsOf(batch.payload);
    if (commands.length !== batch.commands)
      throw new Error(`${commands.length} commands, not ${batch.commands}`);
    const before = changes.length;
    for (let i = 0; i < commands.length;) {
      const group = batch.groups.findIndex((at, place) => place % 2 === 0 && at === i);
      const length = group < 0 ? 1 : batch.groups[group + 1]!;
      const real = commands.slice(i, i + length).filter((command) => command !== undefined);
      if (real.length > 0) changes.push({ commands: real, seen: batch.seen });
      i += length;
    }
    if (changes.length - before !== batch.changes)
      throw new Error(`${changes.length - before} changes, not ${batch.changes}`);
  }
  return changes;
}

/** The commands of a payload, each behind its database; nothing in the place of a `SELECT`. */
function commandsOf(payload: Buffer): (string | undefined)[] {
  const reader = new CommandReader();
  reader.push(payload);
  let database = Number.NaN;
  const commands: (string | undefined)[] = [];
  while (reader.next()) {
    const selects = reader.argument(0).toString('latin1') === 'SELECT';
    if (selects) database = Number(reader.argument(1));
    commands.push(
      selects ? undefined : `${database} ${reader.buffer.toString('latin1', reader.start, reader.end)}`,
    );
  }
  return commands;
}
