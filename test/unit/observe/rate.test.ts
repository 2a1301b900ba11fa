import { describe, expect, test } from 'vitest';
import { Rate } from '../../../src/observe/rate.js';

const NOW = 1_790_000_000_000;

describe('a rate', () => {
  test('is nothing at the first look, and then what was counted between two looks', () => {
    const rate = new Rate();
    expect([rate.sample(500, NOW), rate.sample(700, NOW + 1000), rate.sample(1000, NOW + 3000)]).toEqual([
      0, 200, 150,
    ]);
  });

  test('stays as it was when looked at again at once', () => {
    const rate = new Rate();
    rate.sample(0, NOW);
    rate.sample(100, NOW + 1000);
    expect([rate.sample(900, NOW + 1400), rate.sample(100, NOW + 2000)]).toEqual([100, 0]);
  });

  test('is never negative, though the counter begins anew', () => {
    const rate = new Rate();
    rate.sample(1000, NOW);
    expect(rate.sample(10, NOW + 1000)).toBe(0);
  });

  test('goes on when the clock is put back', () => {
    const rate = new Rate();
    rate.sample(0, NOW);
    rate.sample(100, NOW - 3_600_000);
    expect(rate.sample(200, NOW - 3_600_000 + 1000)).toBe(100);
  });
});
