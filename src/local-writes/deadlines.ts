/**
 * Deadlines of keys, as far as the stream or a look at the keys has told them. They tell the end of a key's life from a removal that a
 * client made. A 64-bit hash stands for database and key. A deadline that is forgotten costs a question to the peer, nothing else.
 */

import { ComingDeadlines } from './coming-deadlines.js';
import type { Deadline } from './deadline.js';
import { FieldDeadlines } from './field-deadlines.js';
import type { KeyHash } from '../protocol/key-hash.js';

/** Keys in one generation. When it is full the one before it goes. */
const GENERATION_KEYS = 1 << 18;
const MIN_SLOTS = 1024;
/** How far a server's clock may be ahead of this machine's. A deadline as near as that counts as past. */
const TOLERANCE_MS = 50;
/** Stands for the deadline of a key that has none, or whose deadline is unknown. */
const STANDS = { forNone: 0, forUnknown: 1 } as const;

/** Open addressing, hash → deadline. That of a removed key is negative. */
class Generation {
  #hashes = new Uint32Array(MIN_SLOTS * 2);
  #deadlines = new Float64Array(MIN_SLOTS);
  #isTaken = new Uint8Array(MIN_SLOTS);
  #count = 0;

  get count(): number {
    return this.#count;
  }

  get(low: number, high: number): number | undefined {
    const slot = this.#slot(low, high);
    return this.#isTaken[slot] === 0 ? undefined : this.#deadlines[slot]!;
  }

  set(low: number, high: number, deadline: number): void {
    if (this.#count * 2 >= this.#deadlines.length) this.#grow();
    const slot = this.#slot(low, high);
    if (this.#isTaken[slot] === 0) {
      this.#isTaken[slot] = 1;
      this.#hashes[slot * 2] = low;
      this.#hashes[slot * 2 + 1] = high;
      this.#count++;
    }
    this.#deadlines[slot] = deadline;
  }

  #slot(low: number, high: number): number {
    const mask = this.#deadlines.length - 1;
    for (let slot = low & mask; ; slot = (slot + 1) & mask) {
      if (this.#isTaken[slot] === 0) return slot;
      if (this.#hashes[slot * 2] === low && this.#hashes[slot * 2 + 1] === high) return slot;
    }
  }

  #grow(): void {
    const [hashes, deadlines, isTaken] = [this.#hashes, this.#deadlines, this.#isTaken];
    const slots = deadlines.length * 2;
    this.#hashes = new Uint32Array(slots * 2);
    this.#deadlines = new Float64Array(slots);
    this.#isTaken = new Uint8Array(slots);
    this.#count = 0;
    for (let at = 0; at < deadlines.length; at++)
      if (isTaken[at] === 1) this.set(hashes[at * 2]!, hashes[at * 2 + 1]!, deadlines[at]!);
  }
}

export class Deadlines {
  /** Deadlines that batches on their way into this server give. */
  readonly coming = new ComingDeadlines();
  #young = new Generation();
  #old = new Generation();
  /** Whether a key that is not remembered has no deadline. */
  #isComplete = false;
  #isLoading = false;
  /** Whether something was forgotten while the keys were looked at. */
  #isLosing = false;
  /** Deadlines of single fields of hashes. */
  readonly fields = new FieldDeadlines();
  #lookedBehind = 0;

  /** What follows in the stream is a batch of the peer's, told by its last sequence. */
  comingRound(batch: number): void {
    this.coming.cameRoundBefore(batch);
    this.fields.coming.comingRound(batch);
  }

  /** Whether nothing is remembered. */
  get isEmpty(): boolean {
    return this.#young.count === 0 && this.#old.count === 0;
  }

  /**
   * The keys are being looked at. A deadline that the stream gives meanwhile is newer than one that is found.
   * @param behind the last local sequence that was read before
   */
  loading(behind: number): void {
    this.#isLoading = true;
    this.#lookedBehind = behind;
  }

  /** Local writes up to this sequence were made before: of what they have removed no deadline was found. */
  get lookedBehind(): number {
    return this.#lookedBehind;
  }

  /** A key was found to have a deadline, in ms since 1970. */
  found(low: number, high: number, at: number): void {
    if (this.#get(low, high) === undefined) this.#set(low, high, at);
  }

  /** All keys that have a deadline are remembered from here on. */
  completed(): void {
    if (this.#isLoading && !this.#isLosing) this.#isComplete = true;
    this.#isLoading = false;
  }

  /** A key has been given a deadline. @param at ms since 1970 */
  given(low: number, high: number, at: number): void {
    this.#set(low, high, at);
  }

  /** A key has no deadline any more, or begins a life without one. */
  cleared(low: number, high: number): void {
    if (this.#isLoading || this.#get(low, high) !== undefined) this.#set(low, high, STANDS.forNone);
  }

  /** The deadline of a key is unknown from now on. */
  doubted(low: number, high: number): void {
    if (this.#isComplete || this.#isLoading || this.#get(low, high) !== undefined)
      this.#set(low, high, STANDS.forUnknown);
  }

  /** A key was removed. Its deadline is kept for writes of the peer's that do not know of the removal. */
  removed(low: number, high: number): void {
    const at = this.#get(low, high);
    if (at !== undefined && at > STANDS.forUnknown) this.#set(low, high, -at);
    else if (this.#isLoading) this.#set(low, high, STANDS.forUnknown);
  }

  /** A key was written. If it had been removed, it begins a new life, as yet without a deadline. */
  built(low: number, high: number): void {
    const at = this.#get(low, high);
    if (at !== undefined && at < 0) this.#set(low, high, STANDS.forNone);
  }

  /** The deadline of a key that is there, in ms since 1970; undefined where none is known. */
  living(low: number, high: number): number | undefined {
    const at = this.#get(low, high);
    return at !== undefined && at > STANDS.forUnknown ? at : undefined;
  }

  /** The soonest that a key may end, in ms since 1970, deadlines on their way included; infinity where none is known. */
  soonest(hash: KeyHash): number {
    return Math.min(this.living(hash.low, hash.high) ?? Infinity, this.coming.of(hash) ?? Infinity);
  }

  /** The deadline of a key that is there, if it has passed by now. */
  passed(low: number, high: number): number | undefined {
    const at = this.living(low, high);
    return at !== undefined && at <= Date.now() + TOLERANCE_MS ? at : undefined;
  }

  /** The same within a transaction that is being applied, which may have given the deadline itself. */
  passedInApplied(hash: KeyHash): number | undefined {
    const coming = this.coming.of(hash);
    const isPast = coming !== undefined && coming <= Date.now() + TOLERANCE_MS;
    return this.passed(hash.low, hash.high) ?? (isPast ? coming : undefined);
  }

  /** What is known of a key that is there, or was until it was removed. */
  of(low: number, high: number): Deadline {
    const at = this.#get(low, high);
    if (at === undefined) return this.#isComplete ? 'none' : 'unknown';
    if (at === STANDS.forNone) return 'none';
    return at === STANDS.forUnknown ? 'unknown' : Math.abs(at);
  }

  /** Whether anything was seen or found of a key's deadline. */
  isRemembered(low: number, high: number): boolean {
    return this.#get(low, high) !== undefined;
  }

  /** A key that is not here has this deadline at the peer. */
  told(low: number, high: number, deadline: Deadline): void {
    if (deadline === 'none') this.cleared(low, high);
    else if (deadline === 'unknown') this.doubted(low, high);
    else {
      this.given(low, high, deadline);
      this.removed(low, high);
    }
  }

  /** The databases were emptied or swapped. @param areGone whether no key is left */
  forget(areGone: boolean): void {
    this.#young = new Generation();
    this.#old = new Generation();
    this.fields.forget();
    this.#isComplete &&= areGone;
    this.#isLosing ||= !areGone;
  }

  #get(low: number, high: number): number | undefined {
    return this.#young.get(low, high) ?? this.#old.get(low, high);
  }

  #set(low: number, high: number, at: number): void {
    if (this.#young.count >= GENERATION_KEYS && this.#young.get(low, high) === undefined) {
      if (this.#old.count > 0) [this.#isComplete, this.#isLosing] = [false, true];
      this.#old = this.#young;
      this.#young = new Generation();
    }
    this.#young.set(low, high, at);
  }
}
