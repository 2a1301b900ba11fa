/**
 * The batch: consecutive changes of one origin, all made with the same knowledge of the peer (`seen`). It is one element of
 * the change list and of the inbox, written once by capture and moved as opaque bytes.
 *
 * Format, version 1: a MessagePack array
 * `[1, pair, origin, epoch, first, changes, commands, timestamp, seenEpoch, seen, special, groups, ends, payload]`
 *
 * Version 2 has a packed payload, and before it how it is packed:
 * `[2, pair, origin, epoch, first, changes, commands, timestamp, seenEpoch, seen, special, groups, ends, packing, payload]`
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
 * | packing   | number of the algorithm (packing.ts), and the bytes that the payload comes to |
 * | payload   | the commands as RESP bytes, as they stood in the replication stream, beginning with a `SELECT` |
 */

import { counted } from '../counted.js';
import { Encoder } from '@msgpack/msgpack';
import { TandemError } from '../errors.js';
import { HeaderReader, invalid } from './batch-header.js';
import { numbered, numberOf, unpack, type Packing } from './packing.js';

const BATCH_VERSION = 1;
const PACKED_VERSION = 2;

/** Elements of the array. */
const ELEMENTS = 14;
/** Without `ends`. */
const FEWEST_ELEMENTS = 13;
const PACKED_ELEMENTS = 15;

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

/** A batch as a list element holds it: its payload may be packed. */
export interface SealedBatch extends Omit<Batch, 'payload'> {
  /** How {@link body} is packed; undefined: it is the payload itself. */
  readonly packing: Packing | undefined;
  readonly body: Buffer;
}

/** A batch as it lies in the inbox. */
export interface DeliveredBatch extends Batch {
  /** Bytes of its list element, and what they would be with nothing packed. */
  readonly length: number;
  readonly plainLength: number;
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

/** The batch as bytes for a list element, with its payload as it is. */
export function encodeBatch({ payload, ...header }: Batch): Buffer {
  return encodeSealed({ ...header, packing: undefined, body: payload });
}

/** The same with a payload that may be packed. */
export function encodeSealed(batch: SealedBatch): Buffer {
  const { packing, body } = batch;
  // The payload is copied once, straight to its place: the encoder would copy it again for each time its buffer grows.
  const fields = [
    packing ? PACKED_VERSION : BATCH_VERSION,
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
    ...(packing ? [[numberOf(packing.algorithm), packing.bytes]] : []),
  ];
  const header = encoder.encodeSharedRef(fields);
  const at = header.length + BIN32_HEADER_BYTES;
  const bytes = Buffer.allocUnsafe(at + body.length);
  bytes.set(header);
  bytes[0] = FIXARRAY + fields.length + 1;
  bytes[header.length] = BIN32;
  bytes.writeUInt32BE(body.length, header.length + 1);
  bytes.set(body, at);
  return bytes;
}

/**
 * The batch in a list element; its payload is a view on the given bytes, unless it is packed.
 * @throws TandemError BATCH_VERSION for a version this build does not know, BATCH_INVALID for anything else that is wrong
 */
export function decodeBatch(bytes: Buffer): Batch {
  return unsealed(decodeSealed(bytes));
}

/** The batch with its payload as it was captured. @throws TandemError BATCH_INVALID, BATCH_VERSION */
export function unsealed({ packing, body, ...header }: SealedBatch): Batch {
  return { ...header, payload: packing ? unpack(body, packing) : body };
}

/** Whether the payload in a list element is packed. */
export function isPacked(bytes: Buffer): boolean {
  return bytes[1] === PACKED_VERSION;
}

/** Bytes that a list element would have with nothing packed, but for a few in its header. */
export function plainLength(bytes: Buffer): number {
  if (!isPacked(bytes)) return bytes.length;
  const { packing, body } = decodeSealed(bytes);
  return bytes.length - body.length + (packing?.bytes ?? 0);
}

/**
 * The batch in a list element, with its payload still packed if it is. Views on the given bytes.
 * @throws TandemError BATCH_VERSION for a version or an algorithm this build does not know, BATCH_INVALID for anything else that is wrong
 */
export function decodeSealed(bytes: Buffer): SealedBatch {
  const reader = new HeaderReader(bytes);
  const length = reader.array();
  const version = length > 0 ? reader.any() : undefined;
  if (version !== BATCH_VERSION && version !== PACKED_VERSION)
    throw unknown(
      `a batch has format version ${String(version)}, this build knows ${PACKED_VERSION} at the most`,
    );
  const hasPacking = version === PACKED_VERSION;
  if (hasPacking ? length !== PACKED_ELEMENTS : length !== ELEMENTS && length !== FEWEST_ELEMENTS)
    throw invalid(`it has ${counted(length, 'element')}`);
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
    ends: length === FEWEST_ELEMENTS ? NO_ENDS : reader.bytes(),
    packing: hasPacking ? packingIn(reader.counts()) : undefined,
    body: reader.bytes(),
  };
  reader.end();
  if (batch.changes < 1 || batch.changes > batch.commands) throw invalid('it has no, or too many, changes');
  if (!Number.isSafeInteger(lastSequence(batch))) throw invalid('its sequence is too high');
  return batch;
}

function packingIn([number, bytes, ...more]: readonly number[]): Packing {
  if (number === undefined || bytes === undefined || more.length > 0)
    throw invalid('it does not say how it is packed');
  const algorithm = numbered(number);
  if (!algorithm) throw unknown(`a batch is packed by an algorithm that this build does not know: ${number}`);
  return { algorithm, bytes };
}

function unknown(what: string): TandemError {
  return new TandemError('BATCH_VERSION', what, { hint: 'run the same version of Tandem on both sites' });
}
