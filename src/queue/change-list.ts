/**
 * The change list: batches of local changes that the peer is not yet known to have applied, in a Redis list beside the data
 * they come from. Appending a batch and moving the capture position past it is one atomic step, so a change is in the list
 * exactly when the position says that it is.
 *
 * One append is under way at a time; what is captured meanwhile goes with the next one. In memory stand an index (where each
 * batch begins and ends) and the batches the courier has not read yet, up to a bound; beyond it they are read from the list.
 */

import type { Redis } from 'ioredis';
import { decodeBatch, lastSequence } from '../change/batch.js';
import type { Position } from '../change/position.js';
import { TandemError } from '../errors.js';
import type { Logger } from '../log.js';
import { runScript } from '../lua/scripts.js';
import { answerOf } from '../redis/connect.js';
import type { KeyNames } from '../redis/keys.js';
import { Signal } from '../service/signal.js';

/** A batch as it waits for the change list. */
export interface NewBatch {
  readonly bytes: Buffer;
  readonly first: number;
  readonly changes: number;
  readonly timestamp: number;
  readonly position: Position;
}

/** A batch on its way to the peer. */
export interface ListedBatch {
  readonly epoch: number;
  readonly first: number;
  readonly last: number;
  readonly bytes: Buffer;
  /** Whether nothing of its epoch stands before it in the list: so nothing before it can be missing at the peer. */
  readonly isOldest: boolean;
}

interface Entry {
  readonly epoch: number;
  readonly first: number;
  readonly last: number;
  readonly length: number;
  readonly timestamp: number;
  /** The batch itself, until it was read or memory was short. */
  bytes: Buffer | undefined;
}

export interface ChangeListOptions {
  readonly client: Redis;
  readonly keys: KeyNames;
  readonly token: number;
  readonly epoch: number;
  /** Sequence of the next change, as the state has it. */
  readonly next: number;
  /** Bytes of the list, as the state has it. */
  readonly bytes: number;
  /** Bytes the list may have. */
  readonly maxBytes: number;
  readonly log: Logger;
}

/** Batches and bytes one append carries. */
const APPEND_BATCHES = 16;
const APPEND_BYTES = 1024 * 1024;
/** Unappended bytes at which capture is asked to stop reading, and to go on. */
const HIGH_WATER_BYTES = 4 * 1024 * 1024;
const LOW_WATER_BYTES = 1024 * 1024;
/** Bytes of listed batches kept in memory for the courier. */
const CACHE_BYTES = 4 * 1024 * 1024;
/** Batches one read from the list brings. */
const READ_BATCHES = 16;
/** Shares of the bound at which the log warns. */
const WARN_AT = [0.5, 0.8];

export class ChangeList {
  /** Raised whenever a batch was appended. */
  readonly appended = new Signal();
  /** Raised with `appended`, for the one who waits for a certain sequence. */
  readonly #progress = new Signal();
  readonly #options: ChangeListOptions;
  readonly #pending: NewBatch[] = [];
  readonly #pendingRaised = new Signal();
  #pendingBytes = 0;
  readonly #entries: Entry[] = [];
  #head = 0;
  #cachedBytes = 0;
  #bytes: number;
  #next: number;
  #savedOffset = 0;
  #savedSeen = 0;
  #warned = 0;

  constructor(options: ChangeListOptions) {
    this.#options = options;
    this.#bytes = options.bytes;
    this.#next = options.next;
  }

  get batches(): number {
    return this.#entries.length - this.#head;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** The highest sequence in the list, or ever taken from it: its timestamp is final. */
  get appendedThrough(): number {
    return this.#next - 1;
  }

  /** Offset of the replication stream that a restart would go on from. */
  get savedOffset(): number {
    return this.#savedOffset;
  }

  /** The peer's sequence that a restart would know to be applied. */
  get savedSeen(): number {
    return this.#savedSeen;
  }

  /** Whether capture should wait before it reads more. */
  get isFull(): boolean {
    return this.#pendingBytes > HIGH_WATER_BYTES;
  }

  get hasRoom(): boolean {
    return this.#pendingBytes < LOW_WATER_BYTES;
  }

  /** Timestamp of the oldest change the peer is not known to have applied; undefined when there is none. */
  get oldestTimestamp(): number | undefined {
    return this.#entries[this.#head]?.timestamp;
  }

  /** The batch in the list that holds a change; undefined when it is there no more. */
  async fetch(sequence: number): Promise<Buffer | undefined> {
    const at = this.#find(sequence);
    const entry = this.#entries[at];
    if (!entry || entry.first > sequence) return undefined;
    if (entry.bytes) return entry.bytes;
    const { client, keys } = this.#options;
    const bytes = await answerOf(client, client.lindexBuffer(keys.changes, at - this.#head));
    if (bytes?.length !== entry.length)
      throw new TandemError('STATE_LOST', 'the change list holds something else than was appended');
    return bytes;
  }

  /** Waits until the changes up to `sequence` are in the list. */
  async waitFor(sequence: number, signal: AbortSignal): Promise<void> {
    while (this.appendedThrough < sequence) await this.#progress.wait(signal);
  }

  /** The sequence the list begins with; that of the next change when it is empty. */
  get firstSequence(): number {
    return this.#entries[this.#head]?.first ?? this.#next;
  }

  /** Learns what the list in Redis holds, and shows every batch in it, oldest first. */
  async load(onBatch: (batch: Buffer) => void): Promise<void> {
    const { client, keys } = this.#options;
    for (let at = 0; ; at += READ_BATCHES) {
      const elements = await answerOf(client, client.lrangeBuffer(keys.changes, at, at + READ_BATCHES - 1));
      for (const bytes of elements) {
        const batch = decodeBatch(bytes);
        this.#entries.push({
          epoch: batch.epoch,
          first: batch.first,
          last: lastSequence(batch),
          length: bytes.length,
          timestamp: batch.timestamp,
          bytes: undefined,
        });
        onBatch(bytes);
      }
      if (elements.length < READ_BATCHES) break;
    }
    const last = this.#entries.at(-1);
    if (last && last.last >= this.#next) {
      throw new TandemError('STATE_LOST', 'the change list goes beyond the position noted for it', {
        details: { last: last.last, next: this.#next },
      });
    }
  }

  /** Takes a batch; it is in the list when {@link appendedThrough} has passed it. */
  enqueue(batch: NewBatch): void {
    this.#pending.push(batch);
    this.#pendingBytes += batch.bytes.length;
    this.#pendingRaised.raise();
  }

  /** Appends what is enqueued, until the signal aborts. @throws TandemError FENCED, STATE_LOST, UNREACHABLE … */
  async run(signal: AbortSignal, hooks: { clock: () => number; onAppended: () => void }): Promise<void> {
    for (;;) {
      while (this.#pending.length > 0) {
        await this.#append(this.#take(), hooks.clock());
        hooks.onAppended();
        signal.throwIfAborted();
      }
      await this.#pendingRaised.wait(signal);
    }
  }

  /** Appends what is enqueued now, without waiting for more: the last act of a process that ends. */
  async flush(clock: number): Promise<void> {
    while (this.#pending.length > 0) await this.#append(this.#take(), clock);
  }

  /** Saves a position that was reached without a change. Only while nothing is enqueued: the position would run ahead of it. */
  async savePosition(position: Position, clock: number): Promise<void> {
    if (this.#pending.length > 0) return;
    await this.#write([], position, clock);
  }

  /** The batches from `sequence` on, as many as fit `maxBytes`, at least one if there is one. */
  async read(sequence: number, maxBytes: number): Promise<ListedBatch[]> {
    const from = this.#find(sequence);
    const found: ListedBatch[] = [];
    let bytes = 0;
    for (let at = from; at < this.#entries.length; at++) {
      const entry = this.#entries[at]!;
      if (found.length > 0 && bytes + entry.length > maxBytes) break;
      if (entry.bytes === undefined) {
        if (found.length > 0) break;
        return this.#readFromList(at, maxBytes);
      }
      const { epoch, first, last, bytes: own } = entry;
      found.push({ epoch, first, last, bytes: own, isOldest: this.#isOldest(at) });
      bytes += entry.length;
      this.#forget(entry);
    }
    return found;
  }

  /** The peer has applied all up to `seen`: takes those batches off the list. */
  async trim(seen: number): Promise<number> {
    let batches = 0;
    let bytes = 0;
    for (let at = this.#head; at < this.#entries.length && this.#entries[at]!.last <= seen; at++) {
      batches++;
      bytes += this.#entries[at]!.length;
    }
    if (batches === 0) return 0;
    // The index moves first: a read that is sent after the trim must count from the new head.
    for (let i = 0; i < batches; i++) this.#forget(this.#entries[this.#head + i]!);
    this.#head += batches;
    this.#bytes -= bytes;
    if (this.#head > 4096 || this.#head === this.#entries.length) {
      this.#entries.splice(0, this.#head);
      this.#head = 0;
    }
    const { client, keys, token, epoch } = this.#options;
    await runScript(client, 'trim', [keys.state, keys.changes, keys.fence], [token, epoch, batches, bytes]);
    return batches;
  }

  /** Index of the first batch that ends at or after `sequence`. */
  #find(sequence: number): number {
    let low = this.#head;
    let high = this.#entries.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#entries[middle]!.last >= sequence) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  async #readFromList(at: number, maxBytes: number): Promise<ListedBatch[]> {
    const { client, keys } = this.#options;
    let count = 0;
    for (let bytes = 0; count < READ_BATCHES && at + count < this.#entries.length; count++) {
      bytes += this.#entries[at + count]!.length;
      if (count > 0 && bytes > maxBytes) break;
    }
    const wanted = this.#entries
      .slice(at, at + count)
      .map((entry, i) => ({ entry, isOldest: this.#isOldest(at + i) }));
    const start = at - this.#head;
    const elements = await answerOf(client, client.lrangeBuffer(keys.changes, start, start + count - 1));
    return elements.map((bytes, i) => {
      const { entry, isOldest } = wanted[i]!;
      if (bytes.length !== entry.length)
        throw new TandemError('STATE_LOST', 'the change list holds something else than was appended');
      return { epoch: entry.epoch, first: entry.first, last: entry.last, bytes, isOldest };
    });
  }

  #isOldest(at: number): boolean {
    return at === this.#head || this.#entries[at - 1]!.epoch !== this.#entries[at]!.epoch;
  }

  #forget(entry: Entry): void {
    if (entry.bytes === undefined) return;
    this.#cachedBytes -= entry.length;
    entry.bytes = undefined;
  }

  #take(): NewBatch[] {
    let count = 0;
    for (let bytes = 0; count < this.#pending.length && count < APPEND_BATCHES; count++) {
      bytes += this.#pending[count]!.bytes.length;
      if (count > 0 && bytes > APPEND_BYTES) break;
    }
    return this.#pending.splice(0, count);
  }

  async #append(batches: readonly NewBatch[], clock: number): Promise<void> {
    await this.#write(batches, batches.at(-1)!.position, clock);
    for (const batch of batches) {
      const length = batch.bytes.length;
      this.#pendingBytes -= length;
      const cached = this.#cachedBytes + length <= CACHE_BYTES;
      if (cached) this.#cachedBytes += length;
      this.#entries.push({
        epoch: this.#options.epoch,
        first: batch.first,
        last: batch.first + batch.changes - 1,
        length,
        timestamp: batch.timestamp,
        bytes: cached ? batch.bytes : undefined,
      });
    }
    this.appended.raise();
    this.#progress.raise();
  }

  async #write(batches: readonly NewBatch[], position: Position, clock: number): Promise<void> {
    const { client, keys, token, epoch, maxBytes, log } = this.#options;
    const last = batches.at(-1);
    const next = last ? last.first + last.changes : this.#next;
    const { replid, offset, database, seenEpoch, seen } = position;
    const args = [
      token,
      epoch,
      this.#next,
      next,
      replid,
      offset,
      database,
      seenEpoch,
      seen,
      clock,
      ...batches.map((batch) => batch.bytes),
    ];
    this.#bytes = Number(await runScript(client, 'append', [keys.state, keys.changes, keys.fence], args));
    this.#next = next;
    this.#savedOffset = offset;
    this.#savedSeen = seen;
    const share = this.#bytes / maxBytes;
    const level = WARN_AT.filter((limit) => share >= limit).length;
    if (level > this.#warned)
      log.warn(
        { bytes: this.#bytes, maxBytes },
        'the change list fills up: the peer does not take the changes',
      );
    this.#warned = level;
  }
}
