/**
 * The batch: consecutive changes of one origin, all made with the same knowledge of the peer (`seen`). It is one element of
 * the change list and of the inbox, written once by capture and moved as opaque bytes.
 *
 * Format, version 1: a MessagePack array
 * `[1, pair, origin, epoch, first, changes, commands, timestamp, seenEpoch, seen, special, groups, ends, payload]`
 *
 * | element   | meaning |
 * | --------- | ------- |
 * | first     | sequence of the first change |
 * | changes   | how many changes; the last sequence is `first + changes - 1` |
 * | commands  | how many commands the payload holds, `SELECT` included |
 * | timestamp | hybrid logical clock, see clock.ts |
 * | seen      | the peer's highest sequence that the origin had applied before it made these changes, in `seenEpoch` |
 * | special   | how many commands the receiver must translate, never run as they are: those on whole databases |
 * | groups    | flat pairs (index of first command, number of commands): the changes that are a whole transaction |
 * | ends      | where in the replication stream each change ended, see stream-ends.ts; the receiver has no use for it |
 * | payload   | the commands as RESP bytes, as they stood in the replication stream, beginning with a `SELECT` |
 */

import { Encoder } from '@msgpack/msgpack';
import { TandemError } from '../errors.js';
import { HeaderReader, invalid } from './batch-header.js';

const BATCH_VERSION = 1;

/** Elements of the array. */
const ELEMENTS = 14;
/** Without `ends`. */
const FEWEST_ELEMENTS = 13;

export interface Batch {
  readonly pair: string;
  readonly origin: string;
  readonly epoch: number;
  readonly first: number;
  readonly changes: number;
  readonly commands: number;
  readonly timestamp: number;
  readonly seenEpoch: number;
  readonly seen: number;
  readonly special: number;
  readonly groups: readonly number[];
  /** As stream-ends.ts writes it; empty where it is not known. */
  readonly ends?: Buffer;
  readonly payload: Buffer;
}

/** A batch as it lies in the inbox, with the length of its list element. */
export interface DeliveredBatch extends Batch {
  readonly length: number;
}

/** The sequence of a batch's last change. */
export function lastSequence(batch: Pick<Batch, 'first' | 'changes'>): number {
  return batch.first + batch.changes - 1;
}

/** MessagePack: an array of up to 15 elements, and bytes whose length takes 32 bits. */
const FIXARRAY = 0x90;
const BIN32 = 0xc6;
const BIN32_HEADER_BYTES = 5;

const NO_ENDS = Buffer.alloc(0);

const encoder = new Encoder();

/** The batch as bytes for a list element. */
export function encodeBatch(batch: Batch): Buffer {
  // The payload is copied once, straight to its place: the encoder would copy it again for each time its buffer grows.
  const fields = [
    BATCH_VERSION,
    batch.pair,
    batch.origin,
    batch.epoch,
    batch.first,
    batch.changes,
    batch.commands,
    batch.timestamp,
    batch.seenEpoch,
    batch.seen,
    batch.special,
    batch.groups,
    batch.ends ?? NO_ENDS,
  ];
  const header = encoder.encodeSharedRef(fields);
  const at = header.length + BIN32_HEADER_BYTES;
  const bytes = Buffer.allocUnsafe(at + batch.payload.length);
  bytes.set(header);
  bytes[0] = FIXARRAY + fields.length + 1;
  bytes[header.length] = BIN32;
  bytes.writeUInt32BE(batch.payload.length, header.length + 1);
  bytes.set(batch.payload, at);
  return bytes;
}

/**
 * The batch in a list element; its payload is a view on the given bytes.
 * @throws TandemError BATCH_VERSION for a version this build does not know, BATCH_INVALID for anything else that is wrong
 */
export function decodeBatch(bytes: Buffer): Batch {
  const reader = new HeaderReader(bytes);
  const length = reader.array();
  const version = length > 0 ? reader.any() : undefined;
  if (version !== BATCH_VERSION) {
    throw new TandemError(
      'BATCH_VERSION',
      `a batch has format version ${String(version)}, this build knows ${BATCH_VERSION}`,
      {
        hint: 'run the same version of Tandem on both sites',
      },
    );
  }
  if (length !== ELEMENTS && length !== FEWEST_ELEMENTS) throw invalid(`it has ${length} elements`);
  const batch = {
    pair: reader.text(),
    origin: reader.text(),
    epoch: reader.count(),
    first: reader.count(),
    changes: reader.count(),
    commands: reader.count(),
    timestamp: reader.count(),
    seenEpoch: reader.count(),
    seen: reader.count(),
    special: reader.count(),
    groups: reader.counts(),
    ends: length === ELEMENTS ? reader.bytes() : NO_ENDS,
    payload: reader.bytes(),
  };
  reader.end();
  if (batch.changes < 1 || batch.changes > batch.commands) throw invalid('it has no, or too many, changes');
  if (!Number.isSafeInteger(lastSequence(batch))) throw invalid('its sequence is too high');
  return batch;
}
