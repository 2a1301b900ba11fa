/**
 * The window: which keys were written here lately, and with which sequence, so that a change from the peer can be held
 * against the local changes its sender had not seen. It keeps no key and no value: an entry is a 64-bit hash of database
 * and key, the sequence, and the kind of effect, in rings of typed arrays; the commands themselves are in the change list.
 *
 * Entries come in rising order of sequence and leave in that order, so an entry is named by a running number, and the
 * entries of one key form a chain from the newest to the oldest. An entry leaves when the peer has seen its change and it
 * is older than `recentMs`: until then a key counts as written lately, and the applier watches it.
 */

/** Entries at the beginning; doubles when full. */
const INITIAL_ENTRIES = 4096;

export interface WindowOptions {
  /** How long an entry stays after the peer has seen it, in milliseconds. */
  readonly recentMs: number;
  /** Entries beyond which the oldest are given up: from then on every key counts as written. */
  readonly maxEntries: number;
  readonly now?: () => number;
}

export class Window {
  #capacity = INITIAL_ENTRIES;
  #low = new Uint32Array(INITIAL_ENTRIES);
  #high = new Uint32Array(INITIAL_ENTRIES);
  #sequence = new Float64Array(INITIAL_ENTRIES);
  #effect = new Uint8Array(INITIAL_ENTRIES);
  /** Running number of the key's entry before this one, or -1. */
  #previous = new Float64Array(INITIAL_ENTRIES);
  /** Seconds since the window began, when the entry was made. */
  #madeAt = new Uint32Array(INITIAL_ENTRIES);
  /** Open addressing, hash → running number of its newest entry + 1; 0 is free. Twice the ring at least. */
  #table = new Float64Array(INITIAL_ENTRIES * 2);
  /** Running numbers: [tail, head) are in the ring. */
  #tail = 0;
  #head = 0;
  #seen = 0;
  /** Highest sequence whose entry was given up before the peer had seen it. */
  #lostUpTo = 0;
  /** Highest sequence whose entry is here no more. */
  #droppedThrough = 0;
  readonly #options: WindowOptions;
  readonly #now: () => number;
  readonly #beganMs: number;

  constructor(options: WindowOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
    this.#beganMs = this.#now();
  }

  /** Entries held. */
  get size(): number {
    return this.#head - this.#tail;
  }

  /** Bytes the window takes. */
  get bytes(): number {
    return this.#capacity * (4 + 4 + 8 + 1 + 8 + 4) + this.#table.length * 8;
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

  /** Whether changes above `seen` are known to the window no more, so that any key may have been written. */
  isBlindAbove(seen: number): boolean {
    return this.#lostUpTo > seen;
  }

  /** Notes that the local change `sequence` wrote the key with this hash. */
  record(low: number, high: number, sequence: number, effect: number): void {
    if (this.size === this.#capacity || this.size >= this.#options.maxEntries) this.#makeRoom();
    const number = this.#head++;
    const at = number & (this.#capacity - 1);
    const slot = this.#slot(low, high);
    this.#low[at] = low;
    this.#high[at] = high;
    this.#sequence[at] = sequence;
    this.#effect[at] = effect;
    const before = this.#table[slot]! - 1;
    this.#previous[at] = before >= this.#tail ? before : -1;
    this.#madeAt[at] = this.#second();
    this.#table[slot] = number + 1;
  }

  /** Running number of the key's newest entry, or -1. */
  newest(low: number, high: number): number {
    if (this.#head === this.#tail) return -1;
    return this.#table[this.#slot(low, high)]! - 1;
  }

  /** Running number of the same key's entry before `number`, or -1. */
  older(number: number): number {
    const before = this.#previous[number & (this.#capacity - 1)]!;
    return before >= this.#tail ? before : -1;
  }

  sequenceOf(number: number): number {
    return this.#sequence[number & (this.#capacity - 1)]!;
  }

  effectOf(number: number): number {
    return this.#effect[number & (this.#capacity - 1)]!;
  }

  lowOf(number: number): number {
    return this.#low[number & (this.#capacity - 1)]!;
  }

  highOf(number: number): number {
    return this.#high[number & (this.#capacity - 1)]!;
  }

  /** First running number whose sequence is above `sequence`; {@link head} when there is none. */
  firstAbove(sequence: number): number {
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
    // Both seconds are rounded down: without the last one an entry could leave almost a second too early.
    const oldest = this.#second() - Math.ceil(this.#options.recentMs / 1000) - 1;
    while (this.#tail < this.#head) {
      const at = this.#tail & (this.#capacity - 1);
      if (this.#sequence[at]! > this.#seen || this.#madeAt[at]! > oldest) return;
      this.#dropOldest();
    }
  }

  #second(): number {
    return Math.max(0, Math.floor((this.#now() - this.#beganMs) / 1000));
  }

  #dropOldest(): void {
    const number = this.#tail;
    const at = number & (this.#capacity - 1);
    const slot = this.#slot(this.#low[at]!, this.#high[at]!);
    this.#droppedThrough = this.#sequence[at]!;
    this.#tail++;
    if (this.#table[slot] === number + 1) this.#free(slot);
  }

  #makeRoom(): void {
    if (this.size >= this.#options.maxEntries) {
      const oldest = this.sequenceOf(this.#tail);
      if (oldest > this.#seen) this.#lostUpTo = oldest;
      this.#dropOldest();
      return;
    }
    const capacity = this.#capacity * 2;
    const grown = <A extends Uint32Array | Float64Array | Uint8Array>(from: A, to: A): A => {
      for (let number = this.#tail; number < this.#head; number++)
        to[number & (capacity - 1)] = from[number & (this.#capacity - 1)]!;
      return to;
    };
    this.#low = grown(this.#low, new Uint32Array(capacity));
    this.#high = grown(this.#high, new Uint32Array(capacity));
    this.#sequence = grown(this.#sequence, new Float64Array(capacity));
    this.#effect = grown(this.#effect, new Uint8Array(capacity));
    this.#previous = grown(this.#previous, new Float64Array(capacity));
    this.#madeAt = grown(this.#madeAt, new Uint32Array(capacity));
    this.#capacity = capacity;
    this.#table = new Float64Array(capacity * 2);
    for (let number = this.#tail; number < this.#head; number++) {
      this.#table[this.#slot(this.lowOf(number), this.highOf(number))] = number + 1;
    }
  }

  /** Where the hash stands in the table, or the free place where it would. */
  #slot(low: number, high: number): number {
    const mask = this.#table.length - 1;
    let slot = low & mask;
    for (;;) {
      const number = this.#table[slot]! - 1;
      if (number < 0) return slot;
      const at = number & (this.#capacity - 1);
      if (this.#low[at] === low && this.#high[at] === high) return slot;
      slot = (slot + 1) & mask;
    }
  }

  /** Frees a place and closes the gap, so that what was pushed past it is still found. */
  #free(slot: number): void {
    const mask = this.#table.length - 1;
    let gap = slot;
    let next = (gap + 1) & mask;
    this.#table[gap] = 0;
    for (;;) {
      const number = this.#table[next]! - 1;
      if (number < 0) return;
      const home = this.lowOf(number) & mask;
      if (((next - home) & mask) >= ((next - gap) & mask)) {
        this.#table[gap] = number + 1;
        this.#table[next] = 0;
        gap = next;
      }
      next = (next + 1) & mask;
    }
  }
}
