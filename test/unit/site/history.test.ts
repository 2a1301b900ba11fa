import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { newHistory } from '../../../src/site/history.js';

const NOW = 1_800_000_000_000;

test('a new history uses no sequence that one before it can have given out, even one that is forgotten', () => {
  fc.assert(
    fc.property(
      fc.nat(1000),
      fc.nat(1_000_000),
      fc.integer({ min: 1, max: 10_000 }),
      (before, perSecond, seconds) => {
        const first = newHistory({ epoch: before, next: 1 }, NOW);
        const given = first.next + perSecond * seconds;
        for (const known of [{ epoch: 0, next: 1 }, first, { epoch: first.epoch, next: given }]) {
          const second = newHistory(known, NOW + seconds * 1000);
          expect(second.epoch).toBeGreaterThan(first.epoch);
          expect(second.next).toBeGreaterThan(given);
          expect(Number.isSafeInteger(second.next)).toBe(true);
        }
      },
    ),
  );
});

test('a clock that was put back makes no sequence twice as long as the state is known', () => {
  const first = newHistory({ epoch: 0, next: 1 }, NOW);
  const second = newHistory({ epoch: first.epoch, next: first.next + 5_000_000 }, NOW - 3_600_000);
  expect(second.epoch).toBeGreaterThan(first.epoch);
  expect(second.next).toBeGreaterThan(first.next + 5_000_000);
});

test('a site that begins, loses its state and begins again within a second uses no sequence twice', () => {
  const nothing = { epoch: 0, next: 1 };
  const first = newHistory(nothing, NOW);
  const second = newHistory(nothing, NOW + 200);
  expect(second.epoch).toBeGreaterThan(first.epoch);
  expect(second.next).toBeGreaterThan(first.next + 100_000);
});
