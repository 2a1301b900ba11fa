import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Window } from '../../../src/local-writes/window.js';

const RECENT_MS = 1000;
/** How much longer an entry may stay than it must: a mark covers this much. */
const INEXACT_MS = 50;
const MAX_ENTRIES = 6000;
const KEYS = 400;

/** Hashes of a few keys, many of which meet in the same places of the table. */
function hashOf(key: number): [low: number, high: number] {
  return [((key % 40) * 0x10000000 + (key % 7)) >>> 0, (0xffffffff - key) >>> 0];
}

/** Hashes as they are, all over the table. */
function spreadHashOf(key: number): [low: number, high: number] {
  return [Math.imul(key, 0x9e3779b1) >>> 0, key];
}

interface Written {
  key: number;
  sequence: number;
  effect: number;
  madeMs: number;
}

/** What the window should know, kept in a list. */
class Model {
  readonly all: Written[] = [];

  /** Sequences on a key, newest first. */
  on(key: number): number[] {
    return this.all
      .filter((one) => one.key === key)
      .map(({ sequence }) => sequence)
      .toReversed();
  }
}

function sequencesOn(window: Window, key: number): number[] {
  const found: number[] = [];
  for (let entry = window.newest(...hashOf(key)); entry >= 0; entry = window.older(entry))
    found.push(window.sequenceOf(entry));
  return found;
}

const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ write: fc.array(fc.nat(KEYS - 1), { minLength: 1, maxLength: 900 }) }),
  },
  { weight: 3, arbitrary: fc.record({ seenShare: fc.double({ min: 0, max: 1, noNaN: true }) }) },
  { weight: 3, arbitrary: fc.record({ passMs: fc.nat(900) }) },
);

describe('the window', () => {
  it('knows what a plain list of the writes would know', () => {
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 60 }),
        fc.constantFrom(1, 2 ** 32 - 500, 2 ** 40),
        (steps, first) => {
          let nowMs = 10_000;
          let sequence = first;
          let seen = first - 1;
          const window = new Window({ recentMs: RECENT_MS, maxEntries: MAX_ENTRIES, now: () => nowMs });
          const model = new Model();
          for (const one of steps) {
            if ('passMs' in one) nowMs += one.passMs;
            else if ('write' in one)
              for (const key of one.write) {
                const effect = key % 256;
                window.record(...hashOf(key), sequence, effect);
                model.all.push({ key, sequence, effect, madeMs: nowMs });
                sequence++;
              }
            else {
              seen += Math.floor((sequence - 1 - seen) * one.seenShare);
              window.advance(seen);
            }
            // The list lets go of the oldest as the window does; what the window must not let go of is checked first.
            const kept = model.all.filter((w) => w.sequence > seen || nowMs - w.madeMs < RECENT_MS);
            expect(window.size).toBeGreaterThanOrEqual(Math.min(kept.length, MAX_ENTRIES));
            expect(window.size).toBeLessThanOrEqual(MAX_ENTRIES);
            model.all.splice(0, model.all.length - window.size);
            expect(window.firstAbove(seen)).toBe(
              window.head - model.all.filter((w) => w.sequence > seen).length,
            );
          }
          for (let key = 0; key < KEYS; key += 7) expect(sequencesOn(window, key)).toEqual(model.on(key));
          const last = model.all.at(-1);
          if (last) expect(window.effectOf(window.head - 1)).toBe(last.effect);
        },
      ),
      { numRuns: 60 },
    );
  });

  it('knows the sequences on both sides of the jump that a new epoch makes', () => {
    const window = new Window({ recentMs: 0, maxEntries: MAX_ENTRIES, now: () => 0 });
    const sequences = [1, 2, 2 ** 40, 2 ** 40 + 1, 2 ** 51 + 5];
    for (const sequence of sequences) window.record(...spreadHashOf(1), sequence, 1);
    const found = (): number[] =>
      sequences.filter((sequence) => window.firstAbove(sequence - 1) < window.head);
    expect(found()).toEqual(sequences);
    expect(sequences.map((_, number) => window.sequenceOf(number))).toEqual(sequences);
    window.advance(2 ** 40);
    expect([3, 4].map((number) => window.sequenceOf(number))).toEqual(sequences.slice(3));
  });

  it('lets go of what the peer has seen and is old enough, and gives its memory back', () => {
    let nowMs = 0;
    const window = new Window({ recentMs: RECENT_MS, maxEntries: 1 << 20, now: () => nowMs });
    const small = window.bytes;
    for (let sequence = 1; sequence <= 100_000; sequence++) {
      window.record(...spreadHashOf(sequence), sequence, 1);
      if (sequence % 1000 === 0) nowMs += 10;
    }
    expect(window.size).toBe(100_000);
    window.advance(100_000);
    expect(window.size).toBeGreaterThan(0);
    nowMs += RECENT_MS + INEXACT_MS;
    for (let i = 0; i < 10; i++) window.advance(100_000);
    expect(window.size).toBe(0);
    expect(window.bytes).toBe(small);
    expect(window.newest(...spreadHashOf(5))).toBe(-1);
  });

  it('says what it has given up when there are more writes than it may hold', () => {
    const window = new Window({ recentMs: RECENT_MS, maxEntries: MAX_ENTRIES, now: () => 0 });
    for (let sequence = 1; sequence <= MAX_ENTRIES + 10; sequence++)
      window.record(...spreadHashOf(sequence), sequence, 1);
    expect(window.isBlindAbove(9)).toBe(true);
    expect(window.isBlindAbove(10)).toBe(false);
  });
});
