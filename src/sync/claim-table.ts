/**
 * When each site last wrote a key, by the key's 64-bit hash: what a repair goes by when both sites may have missed something. It
 * keeps no key and no value, only two times, in milliseconds since 1970.
 *
 * Two generations hold it within a bound. What is noted goes into the young one; when that is full it becomes the old one, and the
 * one that was old is forgotten. So a key is remembered for as long as fewer than {@link MAX_CLAIMS} others are written behind it.
 */

import { type Claim, NO_CLAIM } from '../protocol/claim.js';

/** Keys of a generation. Both generations together take 16 MiB. */
const MAX_CLAIMS = 393_216;
/** Places of a generation at first; it doubles when three of four are taken. */
const MIN_PLACES = 1024;
/** A place is four integers: the hash in two, when the key was written here, when by the peer. */
export const PLACE = 4;
export const OWN = 2;
export const PEER = 3;
/** Times are kept in 32 bits, as the distance from a moment so long before the generation began. Older ones count as that moment. */
const PAST_MS = 2 ** 31;
/** After this time a generation has no more room for later ones. */
const LASTS_MS = 2 ** 31 - 2 ** 24;

/** One table of hashes, open addressing. Its own moment of reference is `baseMs`. */
export class ClaimGeneration {
  #baseMs: number;
  readonly #maxClaims: number;
  #table = new Uint32Array(MIN_PLACES * PLACE);
  #shift = shiftFor(MIN_PLACES * PLACE);
  #count = 0;

  constructor(nowMs: number, maxClaims = MAX_CLAIMS) {
    this.#baseMs = nowMs - PAST_MS;
    this.#maxClaims = maxClaims;
  }

  /** The moment that its times count from, in ms since 1970. */
  get baseMs(): number {
    return this.#baseMs;
  }

  get count(): number {
    return this.#count;
  }

  get isFull(): boolean {
    return this.#count >= this.#maxClaims;
  }

  get bytes(): number {
    return this.#table.byteLength;
  }

  /** Whether a time lies beyond what can be kept here. */
  isOver(nowMs: number): boolean {
    return nowMs - this.#baseMs - PAST_MS > LASTS_MS;
  }

  /** Notes that a key was written here (`local`) or by the peer, unless a later time is known. */
  note(low: number, high: number, whose: 'own' | 'peer', ms: number): void {
    const at = this.#placeOf(low, high) + (whose === 'own' ? OWN : PEER);
    const time = this.#short(ms);
    if (this.#table[at]! < time) this.#table[at] = time;
  }

  /** Notes all that another generation holds, in one loop over integers: it runs once for every key that is written. */
  merge({ baseMs, places }: ClaimGeneration): void {
    const later = baseMs - this.#baseMs;
    for (let from = 0; from < places.length; from += PLACE) {
      const own = places[from + OWN]!;
      const peer = places[from + PEER]!;
      if (own === 0 && peer === 0) continue;
      const at = this.#placeOf(places[from]!, places[from + 1]!);
      const table = this.#table;
      if (own !== 0) table[at + OWN] = Math.max(table[at + OWN]!, within(own + later));
      if (peer !== 0) table[at + PEER] = Math.max(table[at + PEER]!, within(peer + later));
    }
  }

  /** The table itself: four integers a place, free where both times are 0. */
  get places(): Readonly<Uint32Array> {
    return this.#table;
  }

  find(low: number, high: number): Claim | undefined {
    const at = this.#find(low, high);
    return this.#isFree(at) ? undefined : this.#claimAt(at);
  }

  /** Forgets all, and begins anew in the room it has: to make that anew each time costs more than all else. */
  begin(nowMs: number): void {
    this.#baseMs = nowMs - PAST_MS;
    this.#table.fill(0);
    this.#count = 0;
  }

  #claimAt(at: number): Claim {
    return { ownMs: this.#long(this.#table[at + OWN]!), peerMs: this.#long(this.#table[at + PEER]!) };
  }

  #short(ms: number): number {
    return within(ms - this.#baseMs);
  }

  #long(time: number): number {
    return time === 0 ? 0 : this.#baseMs + time;
  }

  #isFree(at: number): boolean {
    return this.#table[at + OWN] === 0 && this.#table[at + PEER] === 0;
  }

  /**
   * Where the hash stands, or the free place where it would. The upper bits say where to begin, so that all generations have their keys in
   * the same order, and one is merged into another from its beginning to its end: not at a random place of memory for each key.
   */
  #find(low: number, high: number): number {
    const table = this.#table;
    const mask = table.length - 1;
    for (let at = (low >>> this.#shift) * PLACE; ; at = (at + PLACE) & mask) {
      if (table[at + OWN] === 0 && table[at + PEER] === 0) return at;
      if (table[at] === low && table[at + 1] === high) return at;
    }
  }

  #placeOf(low: number, high: number): number {
    const at = this.#find(low, high);
    if (!this.#isFree(at)) return at;
    if (++this.#count * 4 > (this.#table.length / PLACE) * 3) {
      this.#grow();
      return this.#placeFor(low, high);
    }
    return this.#take(at, low, high);
  }

  #placeFor(low: number, high: number): number {
    return this.#take(this.#find(low, high), low, high);
  }

  #take(at: number, low: number, high: number): number {
    this.#table[at] = low;
    this.#table[at + 1] = high;
    return at;
  }

  #grow(): void {
    const before = this.#table;
    this.#table = new Uint32Array(before.length * 2);
    this.#shift = shiftFor(this.#table.length);
    for (let at = 0; at < before.length; at += PLACE) {
      if (before[at + OWN] === 0 && before[at + PEER] === 0) continue;
      const to = this.#placeFor(before[at]!, before[at + 1]!);
      this.#table[to + OWN] = before[at + OWN]!;
      this.#table[to + PEER] = before[at + PEER]!;
    }
  }
}

/** How far a hash is shifted to be a place of a table. */
function shiftFor(length: number): number {
  return 32 - Math.log2(length / PLACE);
}

/** A distance in time as it is kept. */
function within(ms: number): number {
  return Math.min(Math.max(ms, 1), 2 ** 32 - 1);
}

export class ClaimTable {
  readonly #maxClaims: number;
  #young: ClaimGeneration;
  #old: ClaimGeneration;

  constructor(nowMs: number, maxClaims = MAX_CLAIMS) {
    this.#maxClaims = maxClaims;
    this.#young = new ClaimGeneration(nowMs, maxClaims);
    this.#old = new ClaimGeneration(nowMs, maxClaims);
  }

  /** Notes a claim. Of what is known of a key the later times stay. */
  note(low: number, high: number, { ownMs, peerMs, nowMs }: Claim & { readonly nowMs: number }): void {
    this.#turn(nowMs);
    if (ownMs > 0) this.#young.note(low, high, 'own', ownMs);
    if (peerMs > 0) this.#young.note(low, high, 'peer', peerMs);
  }

  /** Notes all that a generation holds. */
  merge(fresh: ClaimGeneration, nowMs: number): void {
    this.#turn(nowMs, fresh.count);
    this.#young.merge(fresh);
  }

  /** Makes room for so many keys more. */
  #turn(nowMs: number, keys = 1): void {
    if (this.#young.count + keys <= this.#maxClaims && !this.#young.isOver(nowMs)) return;
    [this.#old, this.#young] = [this.#young, this.#old];
    this.#young.begin(nowMs);
  }

  find(low: number, high: number): Claim {
    const young = this.#young.find(low, high) ?? NO_CLAIM;
    const old = this.#old.find(low, high) ?? NO_CLAIM;
    return {
      ownMs: Math.max(young.ownMs, old.ownMs),
      peerMs: Math.max(young.peerMs, old.peerMs),
    };
  }
}
