import { expect, test } from 'vitest';
import { byNumber, counted } from '../../src/counted.js';

test.each<[number, string, string]>([
  [0, 'key', '0 keys'],
  [1, 'key', '1 key'],
  [2, 'change', '2 changes'],
  [1_234_567, 'value of modules', '1,234,567 values of modules'],
  [1, 'value of modules', '1 value of modules'],
  [3, 'batch', '3 batches'],
  [1, 'batch of changes', '1 batch of changes'],
  [2, 'entry', '2 entries'],
  [2, 'library', '2 libraries'],
])('%d %s', (count, one, text) => {
  expect(counted(count, one)).toBe(text);
});

test('a verb goes with its count', () => {
  expect([0, 1, 2].map((count) => byNumber(count, 'is', 'are'))).toEqual(['are', 'is', 'are']);
});
