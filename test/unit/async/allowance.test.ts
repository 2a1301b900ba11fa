import { expect, test } from 'vitest';
import { Allowance } from '../../../src/async/allowance.js';

test('gives so much in a second, as much at once, and no more after a long rest', () => {
  let now = 0;
  const allowance = new Allowance(10, () => now);
  const taken = (): number => {
    let count = 0;
    while (allowance.take()) count++;
    return count;
  };
  expect(taken()).toBe(10);
  now = 250;
  expect(taken()).toBe(2);
  now = 100_000;
  expect(taken()).toBe(10);
});
