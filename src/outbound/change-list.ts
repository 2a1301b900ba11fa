/**
 * The change list: batches of local changes that the peer is not known to have applied, in a Redis list beside the data they
 * come from. One atomic step appends a batch and moves the position past it.
 *
 * One append is under way at a time. Memory holds an index (where each batch begins and ends), and up to a bound the batches that
 * the courier has not read. The courier reads the others from the list.
 */

import type { Redis } from 'ioredis';
import type { HybridClock } from '../protocol/clock.js';
import type { Batch } from '../protocol/batch.js';
import type { Position } from '../protocol/position.js';
import { TandemError } from '../errors.js';
import type { Logger } from '../log/log.js';
import { runScript } from '../lua/scripts.js';
import { answerOf } from '../redis/connect.js';
import type { KeyNames } from '../redis/keys.js';
import { Signal } from '../async/signal.js';
import { ChangeIndex, type Continuity } from './change-index.js';
import { FillWarning } from './fill-warning.js';
import { loadIndex } from './index-loader.js';
import { asAppended, listed, type ListedBatch } from './listed-batch.js';

/** A batch as it waits for the change list. */
export interface NewBatch {
  readonly bytes: Buffer;
  readonly first: number;
  readonly changes: number;
  readonly timestamp: number;
  readonly position: Position;
}

export interface ChangeListOptions {
  readonly client: Redis;
  readonly keys: KeyNames;
  readonly token: number;
  readonly pair: string;
  readonly site: string;
  readonly epoch: number;
  /** Sequence of the next change, as the state has it. */
  readonly next: number;
  /** The newest sequence there is, and the newest that is no more in the list, as the state has it. */
  readonly last: number;
  readonly trimmed: number;
  /** Bytes of the list, as the state has it. */
  readonly bytes: number;
  /** Bytes the list may have where the server's memory allows it. */
  readonly maxBytes: number;
  /** Bytes of batches kept in memory; absent: 4 MiB. */
  readonly cachedBytes?: number | undefined;
  /** What is kept beside the position: the newest local sequence that places of lists were about; undefined: not known. */
  readonly notedThrough: () => number | undefined;
  /** The same: keys with local `SET`s that are to be put back, once the changes before `next` are in the list. */
  readonly overwritten: (next: number) => string;
  readonly log: Logger;
  /** Told when the list is dropped, up to `last`. `limitBytes` is less than `maxBytes` if memory is short. */
  readonly gaps: { dropped(last: number, limitBytes: number): void };
}

interface Appending {
  readonly clock: Pick<HybridClock, 'last'>;
  /** Is read on when the list has room again. */
  readonly stream: { resume(): void };
}

interface AppendTerms {
  readonly clock: number;
  /** Bytes beyond which the list is dropped. */
  readonly limit: number;
}

/** Batches and bytes one append carries. */
const APPEND_BATCHES = 16;
const APPEND_BYTES = 1024 * 1024;
/** Unappended bytes at which capture is asked to stop reading, and to go on. */
const HIGH_WATER_BYTES = 4 * 1024 * 1024;
const LOW_WATER_BYTES = 1024 * 1024;
/** Batches one read from the list brings. */
const READ_BATCHES = 16;
/** More than any list has, as Lua takes it. */
const NO_LIMIT = Number.MAX_SAFE_INTEGER;

export class ChangeList {
  /** Raised whenever a batch was appended. */
  readonly appended = new Signal();
  /** Raised with `appended`, for the one who waits for a certain sequence. */
  readonly #progress = new Signal();
  readonly #options: ChangeListOptions;
  readonly #pending: NewBatch[] = [];
  readonly #pendingRaised = new Signal();
  #pendingBytes = 0;
  readonly #index: ChangeIndex;
  #bytes: number;
  #next: number;
  #last: number;
  #trimmed: number;
  #saved: Position | undefined;
  #limit: number;
  /** An append under way that may drop the list: what counts on what is in it has to wait for its end, or to be left out. */
  #dropping: Promise<void> | undefined;
  readonly #fillWarning: FillWarning;

  constructor(options: ChangeListOptions) {
    this.#options = options;
    this.#index = new ChangeIndex(options.cachedBytes);
    this.#bytes = options.bytes;
    this.#next = options.next;
    this.#last = options.last;
    this.#trimmed = options.trimmed;
    this.#limit = options.maxBytes;
    this.#fillWarning = new FillWarning(options.log);
  }

  /** The index of the list. */
  get index(): Pick<ChangeIndex, 'at' | 'find' | 'size'> {
    return this.#index;
  }

  get batches(): number {
    return this.#index.size;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Bytes the list may have now. */
  get limit(): number {
    return this.#limit;
  }

  /** The highest sequence in the list, or ever taken from it: its timestamp is final. */
  get appendedThrough(): number {
    return this.#next - 1;
  }

  /** Changes appended since this process began. */
  get changesMade(): number {
    return this.#next - this.#options.next;
  }

  /** The newest sequence there is, or ever was. */
  get last(): number {
    return this.#last;
  }

  /** The newest sequence that was taken off the list. */
  get trimmed(): number {
    return this.#trimmed;
  }

  /** Where a restart would go on in the replication stream; undefined as long as nothing was saved. */
  get saved(): Position | undefined {
    return this.#saved;
  }

  /** Whether capture should wait before it reads more. */
  get isFull(): boolean {
    return this.#pendingBytes > HIGH_WATER_BYTES;
  }

  get hasRoom(): boolean {
    return this.#pendingBytes < LOW_WATER_BYTES;
  }

  /** Timestamp of the oldest change the peer is not known to have applied, appended or not yet; undefined when there is none. */
  get oldestTimestamp(): number | undefined {
    return (this.#index.at(0) ?? this.#pending[0])?.timestamp;
  }

  /** The batch in the list that holds a change; undefined when it is there no more. */
  async fetch(sequence: number): Promise<Buffer | undefined> {
    const place = this.#index.find(sequence);
    const entry = this.#index.at(place);
    if (!entry || entry.first > sequence) return undefined;
    const cached = this.#index.bytesAt(place);
    if (cached) return cached;
    if (this.#dropping) return this.#dropping.then(() => this.fetch(sequence));
    const { client, keys } = this.#options;
    return asAppended(entry, await answerOf(client, client.lindexBuffer(keys.changes, place)));
  }

  /** When a change in the list was made; undefined when it is there no more. */
  timestampOf(sequence: number): number | undefined {
    const entry = this.#index.at(this.#index.find(sequence));
    return entry && entry.first <= sequence ? entry.timestamp : undefined;
  }

  /** Whether there is a batch that ends at or after `sequence`. */
  reaches(sequence: number): boolean {
    return (this.#index.newest?.last ?? -1) >= sequence;
  }

  /** How a peer that has received all up to `received` goes on. */
  continuity(received: number): Continuity {
    return this.#index.continuity(received, this.#last);
  }

  /** Batches and bytes that end the list and were appended since this process began. */
  get appendedHere(): { batches: number; bytes: number } {
    return this.#index.since(this.#options.next);
  }

  /** Waits until the changes up to `sequence` are in the list. */
  async waitFor(sequence: number, signal: AbortSignal): Promise<void> {
    while (this.appendedThrough < sequence) await this.#progress.wait(signal);
  }

  /** The sequence the list begins with; that of the next change when it is empty. */
  get firstSequence(): number {
    return this.#index.at(0)?.first ?? this.#next;
  }

  /**
   * Learns what the list in Redis holds, and shows every batch in it, oldest first. Elements that are no batch of this site's are taken
   * off.
   */
  async load(onBatch: (batch: Batch) => void): Promise<void> {
    const bytes = await loadIndex({ ...this.#options, index: this.#index, onBatch });
    const last = this.#index.newest;
    if (last && last.last >= this.#next) {
      throw new TandemError('STATE_LOST', 'the change list goes beyond the position noted for it', {
        details: { last: last.last, next: this.#next },
      });
    }
    await this.#correct(bytes);
  }

  /** Takes a batch; it is in the list when {@link appendedThrough} has passed it. */
  enqueue(batch: NewBatch): void {
    this.#pending.push(batch);
    this.#pendingBytes += batch.bytes.length;
    this.#pendingRaised.raise();
  }

  /** Bytes the list may have from now on. A list beyond a bound that is less than `maxBytes` is dropped, without waiting for an append. */
  limitTo(bytes: number): void {
    this.#limit = Math.min(bytes, this.#options.maxBytes);
    if (this.#isTooLong) this.#pendingRaised.raise();
  }

  /** A single batch that is larger than `maxBytes` may stay: only what stands in the server's way has to go. */
  get #isTooLong(): boolean {
    return this.batches > 0 && this.#limit < this.#options.maxBytes && this.#bytes > this.#limit;
  }

  /** Appends what is enqueued, until the signal aborts. @throws TandemError FENCED, STATE_LOST, UNREACHABLE … */
  async run(signal: AbortSignal, { clock, stream }: Appending): Promise<void> {
    for (;;) {
      while (this.#pending.length > 0) {
        await this.#append(this.#take(), clock.last);
        if (this.hasRoom) stream.resume();
        signal.throwIfAborted();
      }
      if (this.#isTooLong && this.#saved)
        await this.#write([], this.#saved, { clock: clock.last, limit: this.#limit });
      await this.#pendingRaised.wait(signal);
    }
  }

  /** Saves a position that was reached without a change. Only while nothing is enqueued: the position would run ahead of it. */
  async savePosition(position: Position, clock: number): Promise<void> {
    if (this.#pending.length > 0 || this.#dropping) return;
    await this.#write([], position, { clock, limit: NO_LIMIT });
  }

  /** The batches from `sequence` on, as many as fit `maxBytes`, at least one if there is one. */
  async read(sequence: number, maxBytes: number): Promise<ListedBatch[]> {
    const found: ListedBatch[] = [];
    let bytes = 0;
    for (let place = this.#index.find(sequence); place < this.#index.size; place++) {
      const entry = this.#index.at(place)!;
      if (found.length > 0 && bytes + entry.length > maxBytes) break;
      const cached = this.#index.bytesAt(place);
      if (cached === undefined) {
        if (found.length > 0) break;
        if (this.#dropping) return this.#dropping.then(() => this.read(sequence, maxBytes));
        return this.#readFromList(place, maxBytes);
      }
      found.push(listed(entry, cached));
      bytes += entry.length;
      this.#index.read(place);
    }
    return found;
  }

  /** The peer has applied all up to `seen`: takes those batches off the list. */
  async trim(seen: number): Promise<number> {
    if (this.#dropping) return 0;
    let [batches, bytes] = [0, 0];
    let trimmed = this.#trimmed;
    for (let entry = this.#index.at(0); entry && entry.last <= seen; entry = this.#index.at(batches)) {
      batches++;
      bytes += entry.length;
      trimmed = entry.last;
    }
    if (batches === 0) return 0;
    // The index moves first: a read that is sent after the trim must count from the new head.
    this.#index.shift(batches);
    this.#bytes -= bytes;
    await this.#trim({ batches, bytes, trimmed });
    return batches;
  }

  async #readFromList(place: number, maxBytes: number): Promise<ListedBatch[]> {
    const { client, keys } = this.#options;
    const wanted = this.#index.from(place, READ_BATCHES, maxBytes);
    const end = place + wanted.length - 1;
    const elements = await answerOf(client, client.lrangeBuffer(keys.changes, place, end));
    return wanted.map((entry, i) => listed(entry, asAppended(entry, elements[i])));
  }

  async #trim({ batches, bytes, trimmed }: Record<'batches' | 'bytes' | 'trimmed', number>): Promise<void> {
    const { client, keys, token, epoch } = this.#options;
    const before = this.#trimmed;
    this.#trimmed = trimmed;
    await runScript(
      client,
      'trim-changes',
      [keys.state, keys.changes, keys.fence],
      [token, epoch, batches, bytes, before, trimmed],
    );
  }

  /** The list holds other bytes than were noted: a client has taken something off, or an old state was brought back. */
  async #correct(bytes: number): Promise<void> {
    if (bytes === this.#bytes) return;
    const { log } = this.#options;
    log.warn({ bytes, noted: this.#bytes }, 'the change list does not hold what was appended to it');
    const head = this.#index.at(0);
    this.#index.forgetPast();
    await this.#trim({ batches: 0, bytes: this.#bytes - bytes, trimmed: head ? head.first - 1 : this.#last });
    this.#bytes = bytes;
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
    await this.#write(batches, batches.at(-1)!.position, { clock, limit: this.#limit });
    for (const { bytes, first, changes, timestamp } of batches) {
      const last = first + changes - 1;
      const { epoch } = this.#options;
      this.#pendingBytes -= bytes.length;
      this.#index.push({ epoch, first, last, previous: this.#last, length: bytes.length, timestamp }, bytes);
      this.#last = last;
    }
    this.appended.raise();
    this.#progress.raise();
  }

  async #write(batches: readonly NewBatch[], position: Position, terms: AppendTerms): Promise<void> {
    const added = batches.reduce((sum, batch) => sum + batch.bytes.length, 0);
    const mayDrop = this.#bytes + added > terms.limit;
    const sent = this.#send(batches, position, terms);
    // A position may still be on its way: its answer says nothing of the drop behind it.
    if (mayDrop) this.#dropping = sent;
    await sent;
    if (mayDrop) this.#dropping = undefined;
  }

  async #send(
    batches: readonly NewBatch[],
    position: Position,
    { clock, limit }: AppendTerms,
  ): Promise<void> {
    const { client, keys, token, epoch, notedThrough, overwritten } = this.#options;
    const last = batches.at(-1);
    const next = last ? last.first + last.changes : this.#next;
    const place = [position.replid, position.offset, position.database, position.seenEpoch, position.seen];
    const elements = batches.map((batch) => batch.bytes);
    const beside = [notedThrough() ?? '', overwritten(next)];
    const args = [token, epoch, this.#next, next, ...place, clock, limit, ...beside, ...elements];
    const expected = this.batches + batches.length;
    const reply = await runScript(client, 'append-batches', [keys.state, keys.changes, keys.fence], args);
    const [bytes, found, dropped] = reply as [number, number, number];
    if (dropped > 0) this.#drop(limit);
    else if (found !== expected)
      throw new TandemError('STATE_LOST', 'the change list holds more or less than was appended', {
        details: { expected, found },
      });
    this.#bytes = bytes;
    this.#next = next;
    this.#saved = position;
    this.#fillWarning.look(bytes, this.#limit);
  }

  /** The list was dropped: what was in it is gone for the peer, and the next batch says so by its `previous`. */
  #drop(limit: number): void {
    this.#index.clear();
    this.#trimmed = this.#last;
    this.#options.gaps.dropped(this.#last, limit);
  }
}
