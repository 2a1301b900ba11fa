/**
 * The inbox: batches the peer delivered and that are not applied yet, in a Redis list. Capture sees every delivery go by in
 * the local replication stream and hands the batch over, so that nothing has to be read from the list while all goes well.
 * The list is read at the start, and after more was delivered than is kept in memory.
 */

import type { Redis } from 'ioredis';
import { decodeBatch, lastSequence, type Batch, type DeliveredBatch } from '../change/batch.js';
import { TandemError } from '../errors.js';
import type { Logger } from '../log.js';
import { runScript } from '../lua/scripts.js';
import { answerOf } from '../redis/connect.js';
import type { KeyNames } from '../redis/keys.js';
import { Signal } from '../service/signal.js';

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

export class Inbox {
  /** Raised when there may be something to take. */
  readonly arrived = new Signal();
  readonly #options: InboxOptions;
  #queue: DeliveredBatch[] = [];
  #bytes = 0;
  /** The last batch queued or handed out: what may follow it. */
  #tail: { epoch: number; sequence: number };
  /** Batches handed out and not yet taken off the list. */
  #out = 0;
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

  /** Batches in memory, and their bytes; more may wait in the list. */
  get batches(): number {
    return this.#queue.length + this.#out;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** The highest sequence known to be delivered. */
  get receivedSequence(): number {
    return this.#tail.sequence;
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
      if (lastSequence(decodeBatch(head)) <= applied.sequence) await this.rewindAtStart();
    } catch (error) {
      // What cannot be read is met, and said, when its turn comes.
      if (!(error instanceof TandemError) || !error.code.startsWith('BATCH_')) throw error;
    }
  }

  /** A batch went by in the stream. */
  delivered(bytes: Buffer): void {
    if (this.#behind || this.#rewinding !== undefined || this.#fault) return;
    if (this.#bytes + bytes.length > MEMORY_BYTES && this.#queue.length > 0) {
      this.#behind = true;
      return;
    }
    this.#take(bytes, { isHead: false });
    this.arrived.raise();
  }

  /** The next batch in order; nothing when none has come. Reads the list when memory has run out of what it holds. */
  async next(): Promise<DeliveredBatch | undefined> {
    const isReadable = this.#queue.length === 0 && this.#rewinding === undefined && !this.#fault;
    if (isReadable && (this.#behind || (await this.#hasMore()))) await this.#readList();
    const batch = this.#queue.shift();
    if (batch) {
      this.#bytes -= batch.length;
      this.#out++;
    }
    return batch;
  }

  /** Whether there is something in the list though all that came was taken off: somebody else than the courier put it there. */
  async #hasMore(): Promise<boolean> {
    if (this.#out > 0 || performance.now() - this.#lookedAt < LOOK_MS) return false;
    this.#lookedAt = performance.now();
    const { client, keys } = this.#options;
    return (await answerOf(client, client.llen(keys.inbox))) > 0;
  }

  /** The oldest batch handed out was taken off the list. */
  settled(): void {
    this.#out--;
  }

  async #readList(): Promise<void> {
    const { client, keys } = this.#options;
    // From here on deliveries are taken from the stream again; one that does not follow on sets `behind` once more.
    this.#behind = false;
    // Not in one transaction: a server without memory refuses those, reads and all. In this order what is noted as received is in
    // the list that is read after it.
    const out = this.#out;
    const [received, elements] = await answerOf(
      client,
      Promise.all([
        client.hmget(keys.received, 'epoch', 'n', 'cut'),
        client.lrangeBuffer(keys.inbox, out, out + READ_BATCHES - 1),
      ]),
    );
    // Only without a batch on its way is the first element the oldest for sure: an answer to what takes one off may be due.
    const isHead = out === 0;
    const cut = Number(received[2]);
    for (const bytes of elements) this.#take(bytes, { isHead, cut });
    if (elements.length === READ_BATCHES) this.#behind = true;
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
   * The list does not hold what was noted as received (somebody deleted it): the peer, who still has it all, sends it again. What the
   * server has taken meanwhile goes, too. None of that may be applied for having gone by in the stream: the peer would be told, and
   * let go of what it is asked for.
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
    const args = [token, epoch, sequence, id];
    await runScript(client, 'rewind', [keys.received, keys.inbox, keys.fence], args);
  }

  /** Takes a batch that follows on. Where the numbers make a jump only the list itself, read from its head, says what follows. */
  #take(bytes: Buffer, { isHead, cut }: { isHead: boolean; cut?: number }): void {
    let batch: Batch;
    try {
      batch = decodeBatch(bytes);
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
