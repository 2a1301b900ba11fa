/** The window told plainly: every entry that was ever made, and where the oldest that still counts stands. */

import type { Window } from '../../../src/local-writes/window.js';

interface Entry {
  readonly low: number;
  readonly high: number;
  readonly sequence: number;
  readonly effect: number;
  readonly madeAt: number;
}

export interface ModelOptions {
  readonly recentMs: number;
  readonly maxEntries: number;
  readonly now: () => number;
}

export class WindowModel {
  readonly entries: Entry[] = [];
  /** Running numbers of a key's entries, oldest first. */
  readonly #byKey = new Map<string, number[]>();
  tail = 0;
  #seen = 0;
  lostUpTo = 0;
  readonly #options: ModelOptions;

  constructor(options: ModelOptions) {
    this.#options = options;
  }

  record(low: number, high: number, sequence: number, effect: number): void {
    if (this.entries.length - this.tail >= this.#options.maxEntries) {
      const { sequence: oldest } = this.entries[this.tail++]!;
      if (oldest > this.#seen) this.lostUpTo = oldest;
    }
    const key = `${low} ${high}`;
    const numbers = this.#byKey.get(key) ?? [];
    if (numbers.length === 0) this.#byKey.set(key, numbers);
    numbers.push(this.entries.length);
    this.entries.push({ low, high, sequence, effect, madeAt: this.#options.now() });
  }

  /** Running numbers of the key's entries that still count, the newest first, at most `count`. */
  chain(low: number, high: number, count: number): number[] {
    const numbers = this.#byKey.get(`${low} ${high}`) ?? [];
    return numbers
      .slice(-count)
      .filter((number) => number >= this.tail)
      .toReversed();
  }

  firstAbove(sequence: number): number {
    let at = this.entries.length;
    while (at > this.tail && this.entries[at - 1]!.sequence > sequence) at--;
    return at;
  }

  /** Checks what left, and follows: nothing leaves too early, and nothing stays for seconds too long. */
  advanced(seen: number, left: number): string | undefined {
    this.#seen = Math.max(this.#seen, seen);
    const now = this.#options.now();
    const age = (number: number): number => now - this.entries[number]!.madeAt;
    for (; this.tail < left; this.tail++) {
      if (this.entries[this.tail]!.sequence > this.#seen) return 'an entry left that the peer had not seen';
      if (age(this.tail) < this.#options.recentMs) return `an entry left that was ${age(this.tail)} ms old`;
    }
    const stayed = this.entries[this.tail];
    if (stayed && stayed.sequence <= this.#seen && age(this.tail) > this.#options.recentMs + 3000)
      return `an entry stayed that was ${age(this.tail)} ms old`;
    return undefined;
  }
}

/** Where the window differs from the model for a key, and for a sequence; nothing if nowhere. */
export function difference(
  window: Window,
  model: WindowModel,
  low: number,
  high: number,
  sequence: number,
): string | undefined {
  const expected = model.chain(low, high, 4);
  let number = window.newest(low, high);
  for (const wanted of expected) {
    if (number !== wanted) return `entry ${number}, not ${wanted}`;
    const entry = model.entries[number]!;
    if (window.sequenceOf(number) !== entry.sequence) return 'sequence';
    if (window.effectOf(number) !== entry.effect) return 'effect';
    number = window.older(number);
  }
  if (expected.length < 4 && number !== -1) return `one entry more: ${number}`;
  if (window.size !== model.entries.length - model.tail) return 'size';
  if (window.head !== model.entries.length) return 'head';
  if (window.firstAbove(sequence) !== model.firstAbove(sequence)) return 'firstAbove';
  if (window.isBlindAbove(sequence) !== model.lostUpTo > sequence) return 'blind';
  return undefined;
}
