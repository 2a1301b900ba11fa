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
const PLACE = 4;
const OWN = 2;
const PEER = 3;
/** Times are kept in 32 bits, as the distance from a moment so long before the generation began. Older ones count as that moment. */
const PAST_MS = 2 ** 31;
/** After this time a generation has no more room for later ones. */
const LASTS_MS = 2 ** 31 - 2 ** 24;

/** One table of hashes, open addressing. Its own moment of reference is `baseMs`. */
export class ClaimGeneration {
  readonly baseMs: number;
  readonly #maxClaims: number;
  #table = new Uint32Array(MIN_PLACES * PLACE);
  #count = 0;

  constructor(nowMs: number, maxClaims = MAX_CLAIMS) {
    this.baseMs = nowMs - PAST_MS;
    this.#maxClaims = maxClaims;
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
    return nowMs - this.baseMs - PAST_MS > LASTS_MS;
  }

  /** Notes that a key was written here (`own`) or by the peer, unless a later time is known. */
  note(low: number, high: number, whose: 'own' | 'peer', ms: number): void {
    const at = this.#placeOf(low, high) + (whose === 'own' ? OWN : PEER);
    const time = this.#short(ms);
    if (this.#table[at]! < time) this.#table[at] = time;
  }

  find(low: number, high: number): Claim | undefined {
    const at = this.#find(low, high);
    return this.#isFree(at) ? undefined : this.#claimAt(at);
  }

  /** Calls `each` with all that is noted. */
  forEach(each: (low: number, high: number, ownMs: number, peerMs: number) => void): void {
    const table = this.#table;
    for (let at = 0; at < table.length; at += PLACE) {
      const [own, peer] = [table[at + OWN]!, table[at + PEER]!];
      if (own !== 0 || peer !== 0) each(table[at]!, table[at + 1]!, this.#long(own), this.#long(peer));
    }
  }

  /** Forgets all, and keeps its room. */
  clear(): void {
    this.#table.fill(0);
    this.#count = 0;
  }

  #claimAt(at: number): Claim {
    return { ownMs: this.#long(this.#table[at + OWN]!), peerMs: this.#long(this.#table[at + PEER]!) };
  }

  #short(ms: number): number {
    return Math.min(Math.max(ms - this.baseMs, 1), 2 ** 32 - 1);
  }

  #long(time: number): number {
    return time === 0 ? 0 : this.baseMs + time;
  }

  #isFree(at: number): boolean {
    return this.#table[at + OWN] === 0 && this.#table[at + PEER] === 0;
  }

  /** Where the hash stands, or the free place where it would. */
  #find(low: number, high: number): number {
    const table = this.#table;
    const mask = table.length - 1;
    for (let at = (low * PLACE) & mask; ; at = (at + PLACE) & mask) {
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
    for (let at = 0; at < before.length; at += PLACE) {
      if (before[at + OWN] === 0 && before[at + PEER] === 0) continue;
      const to = this.#placeFor(before[at]!, before[at + 1]!);
      this.#table[to + OWN] = before[at + OWN]!;
      this.#table[to + PEER] = before[at + PEER]!;
    }
  }
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
    if (this.#young.isFull || this.#young.isOver(nowMs)) {
      this.#old = this.#young;
      this.#young = new ClaimGeneration(nowMs, this.#maxClaims);
    }
    if (ownMs > 0) this.#young.note(low, high, 'own', ownMs);
    if (peerMs > 0) this.#young.note(low, high, 'peer', peerMs);
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
