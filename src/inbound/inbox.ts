/**
 * The inbox: batches the peer delivered and that are not applied yet, in a Redis list. Capture sees every delivery go by in
 * the local replication stream and hands the batch over, so that nothing has to be read from the list while all goes well.
 * The list is read at the start, and after more was delivered than is kept in memory.
 */

import type { Redis } from 'ioredis';
import {
  decodeSealed,
  lastSequence,
  unsealed,
  type DeliveredBatch,
  type SealedBatch,
} from '../protocol/batch.js';
import { TandemError } from '../errors.js';
import type { Logger } from '../log/log.js';
import { runScript } from '../lua/scripts.js';
import { answerOf } from '../redis/connect.js';
import type { KeyNames } from '../redis/keys.js';
import { Signal } from '../async/signal.js';

export interface InboxOptions {
  readonly client: Redis;
  readonly keys: KeyNames;
  readonly pair: string;
  /** The only origin whose batches belong here. */
  readonly peer: string;
  /** Where the application of the peer's changes stands. */
  readonly applied: { readonly epoch: number; readonly sequence: number };
  readonly token: number;
  readonly log: Logger;
}

/** Bytes of delivered batches kept in memory. */
const MEMORY_BYTES = 8 * 1024 * 1024;
/** Elements one read from the list brings. */
const READ_BATCHES = 16;
/** How often an inbox that ought to be empty is looked at. */
const LOOK_MS = 1000;

/** Batches that wait in the list alone. */
interface Beyond {
  readonly batches: number;
  readonly bytes: number;
  /** No later than when the oldest was made; undefined when that is not known, or there are none. */
  readonly oldestTimestamp: number | undefined;
  /** The last sequence; 0 when there are none. */
  readonly last: number;
}

/** A delivered batch as it waits: packed, if it is, so that it takes no more room than was counted. */
interface Sealed extends SealedBatch {
  readonly length: number;
}

const NOTHING_BEYOND: Beyond = { batches: 0, bytes: 0, oldestTimestamp: undefined, last: 0 };

export class Inbox {
  /** Raised when there may be something to take. */
  readonly arrived = new Signal();
  readonly #options: InboxOptions;
  #queue: Sealed[] = [];
  #bytes = 0;
  /** The last batch queued or handed out: what may follow it. */
  #tail: { epoch: number; sequence: number };
  /** Batches handed out and not yet taken off the list, the oldest first. */
  readonly #out: Pick<DeliveredBatch, 'timestamp' | 'length'>[] = [];
  /** How much waits in the list and is not in memory, as far as it is known. */
  #beyond: Beyond = NOTHING_BEYOND;
  /** Whether the list may hold what memory does not. */
  #behind = true;
  #fault: TandemError | undefined;
  /** The rewinding that has not come round in the stream: what went by before it is in the list no more. */
  #rewinding: string | undefined;
  #rewindings = 0;
  #lookedAt = performance.now();

  constructor(options: InboxOptions) {
    this.#options = options;
    this.#tail = { ...options.applied };
  }

  /** Batches delivered and not yet applied, in memory or in the list alone, and their bytes. */
  get batches(): number {
    return this.#queue.length + this.#out.length + this.#beyond.batches;
  }

  get bytes(): number {
    return this.#bytes + this.#outBytes + this.#beyond.bytes;
  }

  /** When the oldest change was made that was delivered and is not applied; undefined when there is none. */
  get oldestTimestamp(): number | undefined {
    return (this.#out[0] ?? this.#queue[0])?.timestamp ?? this.#beyond.oldestTimestamp;
  }

  /** The highest sequence known to be delivered. */
  get receivedSequence(): number {
    return Math.max(this.#tail.sequence, this.#beyond.last);
  }

  /** Why the inbox cannot be read on: a damaged batch, or one of another format. */
  get fault(): TandemError | undefined {
    return this.#fault;
  }

  /**
   * Looks at the oldest batch before anything is taken. When it is one that has been applied (the transaction that was to take it
   * off went wrong), the list is not what it was taken for: it is emptied, and the peer delivers again what is missing.
   */
  async begin(): Promise<void> {
    const { client, keys, applied } = this.#options;
    const head = await answerOf(client, client.lindexBuffer(keys.inbox, 0));
    if (head === null) return;
    try {
      const batch = decodeSealed(head);
      if (lastSequence(batch) <= applied.sequence) await this.rewindAtStart();
      else {
        const asked = [client.llen(keys.inbox), client.hmget(keys.received, 'bytes', 'n')] as const;
        const [batches, [bytes, n]] = await answerOf(client, Promise.all(asked));
        this.#beyond = { batches, bytes: Number(bytes), oldestTimestamp: batch.timestamp, last: Number(n) };
      }
    } catch (error) {
      // A batch that cannot be read is met, and told, when its turn comes.
      if (!(error instanceof TandemError) || !error.code.startsWith('BATCH_')) throw error;
    }
  }

  /** A batch went by in the stream. Its bytes are copied if it is kept: while the list is read, most are not. */
  delivered(bytes: Buffer): void {
    if (this.#rewinding !== undefined) return;
    const isTooMuch = this.#bytes + bytes.length > MEMORY_BYTES && this.#queue.length > 0;
    this.#behind ||= isTooMuch;
    if (this.#behind || this.#fault) {
      this.#beyond = further(this.#beyond, bytes);
      return;
    }
    this.#take(Buffer.from(bytes), { isHead: false });
    this.arrived.raise();
  }

  /** The next batch in order; nothing when none has come. Reads the list when memory has run out of what it holds. */
  async next(): Promise<DeliveredBatch | undefined> {
    const isReadable = this.#queue.length === 0 && this.#rewinding === undefined && !this.#fault;
    if (isReadable && (this.#behind || (await this.#hasMore()))) await this.#readList();
    const sealed = this.#queue[0];
    const batch = sealed && this.#opened(sealed);
    if (!batch) return undefined;
    this.#queue.shift();
    this.#bytes -= batch.length;
    this.#out.push({ timestamp: batch.timestamp, length: batch.length });
    return batch;
  }

  /** The batch with its payload; nothing, and the inbox is at fault, where that cannot be unpacked. */
  #opened(sealed: Sealed): DeliveredBatch | undefined {
    try {
      const batch = unsealed(sealed);
      const { length, body } = sealed;
      return { ...batch, length, plainLength: length - body.length + batch.payload.length };
    } catch (error) {
      this.#fault = error as TandemError;
      return undefined;
    }
  }

  /**
   * Whether there is something though all that came was taken off: an element in the list, which another client than the courier put
   * there, or a note that more was received than ever came.
   */
  async #hasMore(): Promise<boolean> {
    if (this.#out.length > 0 || performance.now() - this.#lookedAt < LOOK_MS) return false;
    this.#lookedAt = performance.now();
    const { client, keys } = this.#options;
    const asked = [client.hget(keys.received, 'n'), client.llen(keys.inbox)] as const;
    const [received, batches] = await answerOf(client, Promise.all(asked));
    return batches > 0 || Number(received) > this.#tail.sequence;
  }

  /** The oldest batch handed out was taken off the list. */
  settled(): void {
    this.#out.shift();
  }

  async #readList(): Promise<void> {
    const { client, keys } = this.#options;
    // From here on deliveries are taken from the stream again; one that does not follow on sets `behind` once more.
    this.#behind = false;
    // Not in one transaction: a server without memory refuses those, reads and all. In this order what is noted as received is in
    // the list that is read after it.
    const out = this.#out.length;
    const [received, batches, elements] = await answerOf(
      client,
      Promise.all([
        client.hmget(keys.received, 'epoch', 'n', 'cut', 'bytes'),
        client.llen(keys.inbox),
        client.lrangeBuffer(keys.inbox, out, out + READ_BATCHES - 1),
      ]),
    );
    // Only without a batch on its way is the first element the oldest for sure: an answer to what takes one off may be due.
    const isHead = out === 0;
    const cut = Number(received[2]);
    for (const bytes of elements) this.#take(bytes, { isHead, cut });
    if (elements.length === READ_BATCHES) this.#behind = true;
    this.#beyond = this.#behindMemory({
      batches: batches - out,
      bytes: Number(received[3]),
      last: Number(received[1]),
    });
    // The stream may have brought meanwhile what stands in the list.
    if (this.#queue.length > 0 || this.#fault) return;
    const isAhead = Number(received[0]) !== this.#tail.epoch || Number(received[1]) > this.#tail.sequence;
    // Each batch that is applied takes the head off the list: one that stands there and is not to be applied shifts all others.
    const isStale = isHead && elements.length > 0;
    if (!isAhead && !isStale) return;
    // With batches handed out it may be that the server has just taken some of them off, and the list was read too far along.
    if (out > 0) this.#behind = true;
    else await this.#rewind();
  }

  get #outBytes(): number {
    return this.#out.reduce((sum, { length }) => sum + length, 0);
  }

  /** Of what was in the list, less what was handed out before, that which was not taken into memory. */
  #behindMemory(list: { batches: number; bytes: number; last: number }): Beyond {
    const batches = list.batches - this.#queue.length;
    if (!this.#behind || batches <= 0) return NOTHING_BEYOND;
    const bytes = Math.max(0, list.bytes - this.#bytes - this.#outBytes);
    // It was made after what is in memory.
    const oldestTimestamp = this.#queue.at(-1)?.timestamp;
    return { batches, bytes, oldestTimestamp, last: list.last };
  }

  /** Like any rewinding, before the stream is read: all that it brings before the first batch is asked for counts for nothing. */
  async rewindAtStart(): Promise<void> {
    await this.#rewind();
    this.#rewinding = undefined;
  }

  /** A rewinding has come round in the stream. */
  rewound(id: string): void {
    if (id !== this.#rewinding) return;
    this.#rewinding = undefined;
    this.arrived.raise();
  }

  /**
   * The list does not hold the batches that were noted as received: a client deleted it. The peer still has them all, and sends them
   * again. Batches that the server has taken meanwhile go, too. None of that may be applied for having gone by in the stream: the peer
   * would be told, and let go of what it is asked for.
   */
  async #rewind(): Promise<void> {
    const { client, keys, token, log } = this.#options;
    const { epoch, sequence } = this.#tail;
    log.warn(
      { epoch, sequence },
      'the inbox does not hold what was delivered: the peer is asked to deliver it again',
    );
    const id = (this.#rewinding = String(token + ++this.#rewindings));
    this.#behind = true;
    this.#beyond = NOTHING_BEYOND;
    const args = [token, epoch, sequence, id];
    await runScript(client, 'rewind-inbox', [keys.received, keys.inbox, keys.fence], args);
  }

  /** Takes a batch that follows on. Where the numbers make a jump only the list itself, read from its head, says what follows. */
  #take(bytes: Buffer, { isHead, cut }: { isHead: boolean; cut?: number }): void {
    let batch: SealedBatch;
    try {
      batch = decodeSealed(bytes);
      if (batch.pair !== this.#options.pair || batch.origin !== this.#options.peer) {
        throw new TandemError('WRONG_PAIR', 'a batch in the inbox comes from another pair or site', {
          details: { pair: batch.pair, origin: batch.origin },
        });
      }
    } catch (error) {
      this.#fault = error as TandemError;
      return;
    }
    const { epoch, sequence } = this.#tail;
    if (batch.epoch < epoch || (batch.epoch === epoch && lastSequence(batch) <= sequence)) return;
    const isNext = batch.epoch === epoch && batch.first === sequence + 1;
    const mayFollow = isHead && (batch.epoch > epoch || (batch.first === cut && batch.first > sequence));
    if (!isNext && !mayFollow) {
      this.#behind = true;
      return;
    }
    this.#tail = { epoch: batch.epoch, sequence: lastSequence(batch) };
    this.#queue.push({ ...batch, length: bytes.length });
    this.#bytes += bytes.length;
  }
}

/** One more has come that memory has no room for. */
function further(before: Beyond, bytes: Buffer): Beyond {
  const more = { ...before, batches: before.batches + 1, bytes: before.bytes + bytes.length };
  try {
    const batch = decodeSealed(bytes);
    const oldestTimestamp = before.oldestTimestamp ?? batch.timestamp;
    return { ...more, oldestTimestamp, last: Math.max(before.last, lastSequence(batch)) };
  } catch {
    // What cannot be read is met, and said, when its turn comes.
    return more;
  }
}
