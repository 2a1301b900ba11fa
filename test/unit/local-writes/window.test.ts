import { describe, expect, test } from 'vitest';
import { Window } from '../../../src/local-writes/window.js';
import { difference, WindowModel } from './window-model.js';

/** Numbers that look random and are the same in every run (mulberry32). */
function randomOf(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 2 ** 32) * below);
  };
}

interface Run {
  readonly steps: number;
  readonly maxEntries: number;
  /** How many keys there are; some hashes share their lower bits, as in a table they must get along. */
  readonly keys: number;
  /** How often the peer's knowledge moves on, one in so many steps, and how far behind it stays. */
  readonly advanceEvery: number;
  readonly behind: number;
}

/** Random steps on a window and on the model; the first difference, if there is any. */
function firstDifference(seed: number, run: Run): string | undefined {
  const random = randomOf(seed);
  let now = 5_000_000;
  const options = { recentMs: 2500, maxEntries: run.maxEntries, now: () => now };
  const window = new Window(options);
  const model = new WindowModel(options);
  const keys = Array.from({ length: run.keys }, (_, i) => ({
    low: i % 3 === 0 || i > 100 ? random(2 ** 32) : (random(1 << 8) << 24) >>> 0,
    high: random(4),
  }));
  let sequence = 1;
  for (let step = 0; step < run.steps; step++) {
    const { low, high } = keys[random(keys.length)]!;
    if (random(run.advanceEvery) === 0) {
      now += random(3000);
      const seen = Math.max(0, sequence - random(run.behind));
      window.advance(seen);
      const wrong = model.advanced(seen, window.head - window.size);
      if (wrong !== undefined) return `step ${step}: ${wrong}`;
    } else {
      // Several writes may belong to one change.
      if (random(3) > 0) sequence += 1 + random(2);
      const effect = random(21);
      window.record(low, high, sequence, effect);
      model.record(low, high, sequence, effect);
    }
    if (step % 3 > 0) continue;
    const asked = keys[random(keys.length)]!;
    const near = sequence - random(50) + 2;
    const found = difference(window, model, asked.low, asked.high, near);
    if (found !== undefined) return `step ${step}: ${found}`;
  }
  return undefined;
}

describe('the window knows what a plain list of all writes knows,', () => {
  test.each<[string, Run]>([
    ['with few keys', { steps: 100_000, maxEntries: 1 << 16, keys: 40, advanceEvery: 20, behind: 500 }],
    ['with many keys', { steps: 120_000, maxEntries: 1 << 16, keys: 20_000, advanceEvery: 50, behind: 5000 }],
    [
      'while it grows',
      { steps: 150_000, maxEntries: 1 << 20, keys: 40_000, advanceEvery: 50_000, behind: 10 },
    ],
    ['when it is full', { steps: 100_000, maxEntries: 4096, keys: 3000, advanceEvery: 2000, behind: 20_000 }],
    [
      'with a bound that is no power of two',
      { steps: 100_000, maxEntries: 5000, keys: 9000, advanceEvery: 9000, behind: 9000 },
    ],
    [
      'with a bound below its first size',
      { steps: 50_000, maxEntries: 10, keys: 30, advanceEvery: 30, behind: 40 },
    ],
  ])('%s', (_, run) => {
    expect(firstDifference(1, run)).toBeUndefined();
  });
});

describe('an entry', () => {
  /** A window whose only entry was made at `madeAt` ms and is seen by the peer, looked at `now` ms. */
  function sizeAt(madeAt: number, now: number, recentMs: number): number {
    let clock = 0;
    const window = new Window({ recentMs, maxEntries: 100, now: () => clock });
    clock = madeAt;
    window.record(1, 1, 1, 0);
    clock = now;
    window.advance(1);
    return window.size;
  }

  test('stays for as long as it is recent, to the millisecond', () => {
    expect([sizeAt(999, 1000, 1000), sizeAt(999, 1998, 1000), sizeAt(0, 9999, 10_000)]).toEqual([1, 1, 1]);
  });

  test('leaves soon after', () => {
    expect([sizeAt(999, 2100, 1000), sizeAt(0, 1100, 1000)]).toEqual([0, 0]);
  });

  test('stays until the peer has seen it, however old it is', () => {
    let now = 0;
    const window = new Window({ recentMs: 1000, maxEntries: 100, now: () => now });
    window.record(1, 1, 7, 0);
    now = 1e9;
    window.advance(6);
    expect(window.size).toBe(1);
    window.advance(7);
    expect(window.size).toBe(0);
  });

  test('stays when the clock goes back', () => {
    let now = 100_000;
    const window = new Window({ recentMs: 1000, maxEntries: 100, now: () => now });
    window.record(1, 1, 1, 0);
    now = 0;
    window.advance(1);
    window.record(1, 1, 2, 0);
    expect([window.size, window.newest(1, 1)]).toEqual([2, 1]);
  });
});

test('an empty window knows nothing', () => {
  const window = new Window({ recentMs: 1000, maxEntries: 100 });
  expect([window.newest(0, 0), window.firstAbove(0), window.size, window.head]).toEqual([-1, 0, 0, 0]);
  expect(window.isBlindAbove(0)).toBe(false);
});

test('a full window is blind to what it gave up, until the peer has seen that', () => {
  const window = new Window({ recentMs: 1000, maxEntries: 3 });
  for (let sequence = 1; sequence <= 5; sequence++) window.record(sequence, 0, sequence, 0);
  expect([window.isBlindAbove(1), window.isBlindAbove(2), window.size]).toEqual([true, false, 3]);
  expect([window.newest(2, 0), window.newest(3, 0)]).toEqual([-1, 2]);
});

test('what it takes in memory is told, and grows with it', () => {
  const window = new Window({ recentMs: 1000, maxEntries: 1 << 20 });
  const before = window.bytes;
  for (let i = 0; i < 5000; i++) window.record(i, 0, i, 0);
  expect(window.bytes).toBe(2 * before);
});
