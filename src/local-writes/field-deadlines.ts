/**
 * Deadlines of single fields of hashes, as far as the stream or a look at the keys has told them. They tell the end of a field's life
 * from a removal that a client made. Nothing is kept of a hash whose fields have no deadlines.
 */

import { ComingFields, type KnownField } from './coming-fields.js';
import type { Deadline } from './deadline.js';

/** Fields remembered. Beyond that the hash that was noted first is forgotten. */
const MAX_FIELDS = 131_072;
/** How far a server's clock may be ahead of this machine's. A deadline as near as that counts as past. */
const TOLERANCE_MS = 50;

type Fields = Map<string, KnownField>;

export class FieldDeadlines {
  /** What the peer's changes say, until they come round. Nothing that the stream says rests on it. */
  readonly coming = new ComingFields();
  /** By the hash of the key. */
  #hashes = new Map<number, Fields>();
  #count = 0;
  /** Whether the server has deadlines of fields, and something may have been forgotten of them. */
  #isLosing = false;
  /** Whether any field has been seen to have one. */
  #isUsed = false;
  #lookedBehind = 0;

  /** Whether no field is remembered. */
  get isEmpty(): boolean {
    return this.#count === 0 && this.coming.isEmpty;
  }

  /** Whether fields of a hash are remembered. */
  has(low: number, high: number): boolean {
    if (this.isEmpty) return false;
    const name = nameOf(low, high);
    return this.#hashes.has(name) || this.coming.has(name);
  }

  /** The peer's change gives a field a deadline. @param batch last sequence of its batch */
  comes(low: number, high: number, field: string, at: number, batch: number): void {
    this.#isUsed = true;
    this.coming.say(nameOf(low, high), field, { at, isRemoved: false }, batch);
  }

  /** It takes the deadline away. */
  comesCleared(low: number, high: number, field: string, batch: number): void {
    if (this.#last(low, high, field))
      this.coming.say(nameOf(low, high), field, { at: 'none', isRemoved: false }, batch);
  }

  /** It removes a field. */
  comesRemoved(low: number, high: number, field: string, batch: number): void {
    const known = this.#last(low, high, field);
    if (known) this.coming.say(nameOf(low, high), field, { at: known.at, isRemoved: true }, batch);
  }

  /** It removes or replaces a hash. */
  comesDropped(low: number, high: number, batch: number): void {
    if (!this.has(low, high)) return;
    const fields = [...(this.#fields(low, high)?.keys() ?? []), ...this.coming.fieldsOf(nameOf(low, high))];
    for (const field of new Set(fields)) this.comesRemoved(low, high, field, batch);
  }

  /** A batch of the peer's has come round. @param through the local sequence of that */
  cameRound(through: number): void {
    if (this.coming.cameRound(through)) this.#isLosing = true;
  }

  /** A field has been given a deadline. @param at ms since 1970 */
  given(low: number, high: number, field: string, at: number): void {
    this.#set(low, high, field, { at, isRemoved: false });
    this.coming.observed(nameOf(low, high), field);
  }

  /** A look at the keys found a deadline of a field. What the stream said of the field meanwhile is newer. */
  found(low: number, high: number, field: string, at: number): void {
    if (this.#fields(low, high)?.get(field) === undefined)
      this.#set(low, high, field, { at, isRemoved: false });
  }

  /** A field has no deadline any more, or begins a life without one. */
  cleared(low: number, high: number, field: string): void {
    if (this.#fields(low, high)?.has(field) === true)
      this.#set(low, high, field, { at: 'none', isRemoved: false });
    this.coming.observed(nameOf(low, high), field);
  }

  /** A field was removed. Its deadline is kept for writes of the peer's that do not know of the removal. */
  removed(low: number, high: number, field: string): void {
    const known = this.#fields(low, high)?.get(field);
    if (known) this.#set(low, high, field, { at: known.at, isRemoved: true });
    this.coming.observed(nameOf(low, high), field);
  }

  /** A field was written. If it had been removed, it begins a new life, as yet without a deadline. */
  built(low: number, high: number, field: string): void {
    if (this.#fields(low, high)?.get(field)?.isRemoved === true)
      this.#set(low, high, field, { at: 'none', isRemoved: false });
  }

  /** The deadline of a field that is there, in ms since 1970, with what is on its way to it; undefined where none is known. */
  living(low: number, high: number, field: string): number | undefined {
    return livingBy(this.#last(low, high, field));
  }

  /** What the stream has said of a field that is there; what is not remembered may have been said before it was read. */
  standing(low: number, high: number, field: string): Deadline {
    const known = this.#fields(low, high)?.get(field);
    return known === undefined ? 'unknown' : (livingBy(known) ?? 'none');
  }

  /** The deadline of a field that is there, if it has passed by now. */
  passed(low: number, high: number, field: string): number | undefined {
    const at = livingBy(this.#fields(low, high)?.get(field));
    return at !== undefined && at <= Date.now() + TOLERANCE_MS ? at : undefined;
  }

  /** What is known of a field that is there, or was until it was removed. @param isOld whether that may have been before all was looked at */
  of(low: number, high: number, field: string, isOld = false): Deadline {
    const isUnknown = this.#isLosing || (isOld && this.#isUsed);
    return this.#last(low, high, field)?.at ?? (isUnknown ? 'unknown' : 'none');
  }

  /** The server has deadlines of fields, and not all that were given before are known. */
  losing(): void {
    this.#isLosing = true;
    this.#isUsed = true;
  }

  /** All deadlines of fields are known from here on. @param behind the last local sequence that was read before */
  completed(behind: number): void {
    this.#isLosing = false;
    this.#lookedBehind = behind;
  }

  /** Local writes up to this sequence were made before all were known: of what they have removed no deadline was found. */
  get lookedBehind(): number {
    return this.#lookedBehind;
  }

  /** The hash was removed or replaced. */
  dropped(low: number, high: number): void {
    if (this.isEmpty) return;
    const name = nameOf(low, high);
    this.#count -= this.#hashes.get(name)?.size ?? 0;
    this.#hashes.delete(name);
    this.coming.observed(name);
  }

  /** A hash was renamed or copied to another key. */
  copied(from: readonly [number, number], to: readonly [number, number]): void {
    const fields = this.#fields(...from);
    this.dropped(...to);
    for (const [field, known] of fields ?? []) this.#set(...to, field, known);
  }

  /** The databases were emptied or swapped. */
  forget(): void {
    this.#hashes = new Map();
    this.#count = 0;
    this.coming.forget();
  }

  /** What was seen of a field, or is on its way to it. */
  #last(low: number, high: number, field: string): KnownField | undefined {
    return this.coming.of(nameOf(low, high), field) ?? this.#fields(low, high)?.get(field);
  }

  #fields(low: number, high: number): Fields | undefined {
    return this.#count === 0 ? undefined : this.#hashes.get(nameOf(low, high));
  }

  #set(low: number, high: number, field: string, known: KnownField): void {
    this.#isUsed = true;
    const name = nameOf(low, high);
    let fields = this.#hashes.get(name);
    if (!fields) this.#hashes.set(name, (fields = new Map()));
    if (!fields.has(field)) this.#count++;
    fields.set(field, known);
    while (this.#count > MAX_FIELDS) this.#forgetOldest();
  }

  #forgetOldest(): void {
    const [oldest, fields] = this.#hashes.entries().next().value!;
    this.#hashes.delete(oldest);
    this.#count -= fields.size;
    this.#isLosing ||= [...fields.values()].some(({ at, isRemoved }) => at !== 'none' && !isRemoved);
  }
}

function livingBy(known: KnownField | undefined): number | undefined {
  return known && !known.isRemoved && known.at !== 'none' ? known.at : undefined;
}

/** 53 bits of the hash of a key. */
function nameOf(low: number, high: number): number {
  return (high & 0x1f_ffff) * 2 ** 32 + (low >>> 0);
}
