/**
 * The window: which keys were written here lately, and with which sequence, so that a change from the peer can be held
 * against the local changes its sender had not seen. It keeps no key and no value: an entry is a 64-bit hash of database
 * and key, the sequence, and the kind of effect, in a ring of integers; the commands themselves are in the change list.
 *
 * Entries come in rising order of sequence and leave in that order, so an entry is named by a running number, and the
 * entries of one key form a chain from the newest to the oldest. An entry leaves when the peer has seen its change and it
 * is older than `recentMs`: a change of the peer's that is being applied may still have to be held against it.
 *
 * Every write passes through here, at a random place of memory, so an entry fills a quarter of a cache line and the table
 * is no larger than it must be: at full load the time goes into waiting for memory.
 */

/** Entries at the beginning, and at the least. The ring doubles when it is full. */
const MIN_ENTRIES = 4096;
/** The distance to the entry before takes 24 bits. */
const MAX_ENTRIES = 1 << 24;

/** An entry is four integers: hash, hash, low half of the sequence, distance to the key's entry before (0: none) and effect. */
const ENTRY = 4;
const SEQUENCE = 2;
const LINK = 3;
const EFFECT_BITS = 8;
/** A jump of sequences that a new epoch makes. The lower halves of older sequences no longer name them alone. */
const JUMP = 2 ** 31;

/** Local flushes held. */
const MAX_FLUSHES = 64;
const NO_FLUSHES: readonly number[] = [];

/** How exactly the time of an entry is known. */
const MARK_MS = 50;
/** Entries after which the clock is looked at again. */
const MARK_ENTRIES = 256;

export interface WindowOptions {
  /** How long an entry stays after the peer has seen it, in milliseconds. */
  readonly recentMs: number;
  /** Entries beyond which the oldest are given up: from then on every key counts as written. */
  readonly maxEntries: number;
  readonly now?: () => number;
}

/** Entries below `head` were made at `lastMs` or before; the mark itself was begun at `firstMs`. */
interface Mark {
  readonly firstMs: number;
  lastMs: number;
  head: number;
}

export class Window {
  #capacity = MIN_ENTRIES;
  #entries = new Uint32Array(MIN_ENTRIES * ENTRY);
  /** Open addressing, hash → place of the key's newest entry in the ring + 1; 0 is free. Twice the ring. */
  #table = new Uint32Array(MIN_ENTRIES * 2);
  /** Running numbers: [tail, head) are in the ring. */
  #tail = 0;
  #head = 0;
  /** Sequence of the newest entry: the others' upper halves follow from it. */
  #newest = 0;
  /** Where sequences made a jump too wide for that: the running number behind it, and the newest sequence before it. */
  readonly #jumps: { readonly head: number; readonly newest: number }[] = [];
  #seen = 0;
  /** Highest sequence whose entry was given up before the peer had seen it. */
  #lostUpTo = 0;
  /** Highest sequence whose entry has left. */
  #droppedThrough = 0;
  /** Sequences of changes that emptied databases, oldest first. */
  readonly #flushes: number[] = [];
  /** Oldest first. */
  #marks: Mark[] = [];
  /** Running number at which the clock is looked at again. */
  #nextMark = 0;
  readonly #recentMs: number;
  readonly #maxEntries: number;
  readonly #now: () => number;

  constructor({ recentMs, maxEntries, now = () => performance.now() }: WindowOptions) {
    this.#recentMs = recentMs;
    this.#maxEntries = Math.min(maxEntries, MAX_ENTRIES);
    this.#now = now;
  }

  /** Entries held. */
  get size(): number {
    return this.#head - this.#tail;
  }

  /** Bytes the window takes. */
  get bytes(): number {
    return this.#entries.byteLength + this.#table.byteLength;
  }

  /** Running number the next entry will get: a place in the order of local writes. */
  get head(): number {
    return this.#head;
  }

  /** The local sequence up to which the peer's knowledge is settled. */
  get seen(): number {
    return this.#seen;
  }

  /** The highest sequence the window may have let go of: it knows all local writes above it. */
  get droppedThrough(): number {
    return this.#droppedThrough;
  }

  /** The window begins empty behind this sequence: what was written before is not known. */
  beginBehind(sequence: number): void {
    this.#droppedThrough = sequence;
  }

  /** Whether the window has let go of changes above `seen`, so that any key may have been written. */
  isBlindAbove(seen: number): boolean {
    return this.#lostUpTo > seen;
  }

  /** Notes that the local change `sequence` wrote the key with this hash. */
  record(low: number, high: number, sequence: number, effect: number): void {
    if (this.size >= this.#capacity || this.size >= this.#maxEntries) this.#makeRoom();
    const place = this.#head & (this.#capacity - 1);
    const slot = this.#slot(low, high);
    const before = this.#table[slot]!;
    const distance = before === 0 ? 0 : (place - before + 1) & (this.#capacity - 1);
    const at = place * ENTRY;
    this.#entries[at] = low;
    this.#entries[at + 1] = high;
    this.#entries[at + SEQUENCE] = sequence;
    this.#entries[at + LINK] = (distance << EFFECT_BITS) | effect;
    this.#table[slot] = place + 1;
    if (sequence - this.#newest >= JUMP && this.size > 0)
      this.#jumps.push({ head: this.#head, newest: this.#newest });
    this.#newest = sequence;
    this.#head++;
    if (this.#head > this.#nextMark) {
      this.#nextMark = this.#head + MARK_ENTRIES;
      this.#mark(this.#now());
    }
  }

  /** Notes that the local change `sequence` emptied databases. */
  recordFlush(sequence: number): void {
    this.#flushes.push(sequence);
    if (this.#flushes.length <= MAX_FLUSHES) return;
    const oldest = this.#flushes.shift()!;
    if (oldest > this.#seen) this.#lostUpTo = Math.max(this.#lostUpTo, oldest);
  }

  /** Local changes above `seen` and up to `decided` that emptied databases, oldest first. */
  flushesIn(seen: number, decided: number): readonly number[] {
    if (this.#flushes.length === 0) return NO_FLUSHES;
    return this.#flushes.filter((sequence) => sequence > seen && sequence <= decided);
  }

  /** Running number of the key's newest entry, or -1. */
  newest(low: number, high: number): number {
    const found = this.#table[this.#slot(low, high)]!;
    return found === 0 ? -1 : this.#tail + ((found - 1 - this.#tail) & (this.#capacity - 1));
  }

  /** Running number of the same key's entry before `number`, or -1. */
  older(number: number): number {
    const distance = this.#entries[this.#at(number) + LINK]! >>> EFFECT_BITS;
    const before = number - distance;
    return distance > 0 && before >= this.#tail ? before : -1;
  }

  sequenceOf(number: number): number {
    const newest =
      this.#jumps.length === 0
        ? this.#newest
        : (this.#jumps.find(({ head }) => number < head)?.newest ?? this.#newest);
    return newest - ((newest - this.#entries[this.#at(number) + SEQUENCE]!) >>> 0);
  }

  effectOf(number: number): number {
    return this.#entries[this.#at(number) + LINK]! & ((1 << EFFECT_BITS) - 1);
  }

  /** First running number whose sequence is above `sequence`; {@link head} when there is none. */
  firstAbove(sequence: number): number {
    if (this.#newest <= sequence) return this.#head;
    let low = this.#tail;
    let high = this.#head;
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      if (this.sequenceOf(middle) > sequence) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  /** The peer has seen the local changes up to `seen`. */
  advance(seen: number): void {
    if (seen > this.#seen) this.#seen = seen;
    const nowMs = this.#now();
    this.#mark(nowMs);
    this.#nextMark = this.#head;
    const end = Math.min(this.firstAbove(this.#seen), this.#oldBefore(nowMs - this.#recentMs));
    while (this.#tail < end) this.#dropOldest();
    if (this.#capacity > MIN_ENTRIES && this.size * 16 < this.#capacity)
      this.#resize(Math.max(MIN_ENTRIES, this.#capacity / 4));
  }

  #at(number: number): number {
    return (number & (this.#capacity - 1)) * ENTRY;
  }

  /** Notes that all entries were made by now. */
  #mark(nowMs: number): void {
    const last = this.#marks.at(-1);
    if (last?.head === this.#head) return;
    // A clock that is put back must not bring the marks out of order.
    const lastMs = Math.max(nowMs, last?.lastMs ?? 0);
    if (last && lastMs - last.firstMs < MARK_MS) {
      last.lastMs = lastMs;
      last.head = this.#head;
    } else if (this.size > 0) this.#marks.push({ firstMs: lastMs, lastMs, head: this.#head });
  }

  /** Running number below which all entries were made at `timeMs` or before. */
  #oldBefore(timeMs: number): number {
    const marks = this.#marks;
    let low = 0;
    let high = marks.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (marks[middle]!.lastMs > timeMs) high = middle;
      else low = middle + 1;
    }
    const head = low === 0 ? this.#tail : marks[low - 1]!.head;
    let useless = 0;
    while (useless < low && marks[useless]!.head <= this.#tail) useless++;
    if (useless > 0) marks.splice(0, useless);
    return head;
  }

  #dropOldest(): void {
    const place = this.#tail & (this.#capacity - 1);
    const at = place * ENTRY;
    const slot = this.#slot(this.#entries[at]!, this.#entries[at + 1]!);
    this.#droppedThrough = this.sequenceOf(this.#tail);
    this.#tail++;
    while (this.#jumps.length > 0 && this.#jumps[0]!.head <= this.#tail) this.#jumps.shift();
    if (this.#table[slot] === place + 1) this.#free(slot);
  }

  #makeRoom(): void {
    if (this.size < this.#maxEntries) {
      this.#resize(this.#capacity * 2);
      return;
    }
    const oldest = this.sequenceOf(this.#tail);
    if (oldest > this.#seen) this.#lostUpTo = oldest;
    this.#dropOldest();
  }

  #resize(capacity: number): void {
    const entries = new Uint32Array(capacity * ENTRY);
    for (let number = this.#tail; number < this.#head; number++) {
      const from = this.#at(number);
      const to = (number & (capacity - 1)) * ENTRY;
      for (let i = 0; i < ENTRY; i++) entries[to + i] = this.#entries[from + i]!;
    }
    this.#capacity = capacity;
    this.#entries = entries;
    this.#table = new Uint32Array(capacity * 2);
    for (let number = this.#tail; number < this.#head; number++) {
      const at = this.#at(number);
      this.#table[this.#slot(entries[at]!, entries[at + 1]!)] = at / ENTRY + 1;
    }
  }

  /** Where the hash stands in the table, or the free place where it would. */
  #slot(low: number, high: number): number {
    const table = this.#table;
    const entries = this.#entries;
    const mask = table.length - 1;
    let slot = low & mask;
    for (;;) {
      const found = table[slot]!;
      if (found === 0) return slot;
      const at = (found - 1) * ENTRY;
      if (entries[at] === low && entries[at + 1] === high) return slot;
      slot = (slot + 1) & mask;
    }
  }

  /** Frees a place and closes the gap, so that what was pushed past it is still found. */
  #free(slot: number): void {
    const table = this.#table;
    const mask = table.length - 1;
    let gap = slot;
    let next = (gap + 1) & mask;
    table[gap] = 0;
    for (;;) {
      const found = table[next]!;
      if (found === 0) return;
      const home = this.#entries[(found - 1) * ENTRY]! & mask;
      if (((next - home) & mask) >= ((next - gap) & mask)) {
        table[gap] = found;
        table[next] = 0;
        gap = next;
      }
      next = (next + 1) & mask;
    }
  }
}
