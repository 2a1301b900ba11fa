import { expect, test } from 'vitest';
import { ContendedKeys } from '../../../src/conflicts/contended-keys.js';
import { LACK } from '../../../src/protocol/messages/state-request.js';

test('a key is given up after eight looks in vain, and then after one, until one is not in vain', () => {
  const keys = new ContendedKeys();
  expect([keys.isGivenUp('k', 7, false), keys.isGivenUp('k', 8, false)]).toEqual([false, true]);
  keys.heated('k');
  expect([keys.isGivenUp('k', 0, false), keys.isGivenUp('k', 1, false)]).toEqual([false, true]);
  keys.cooled('k');
  expect(keys.isGivenUp('k', 1, false)).toBe(false);
});

test('a key that is being written fast is given up after one look, and if it was given up before without any', () => {
  const keys = new ContendedKeys();
  expect([keys.isGivenUp('k', 0, true), keys.isGivenUp('k', 1, true)]).toEqual([false, true]);
  keys.heated('k');
  expect(keys.isGivenUp('k', 0, true)).toBe(true);
});

test('what a value lacks is known until a state was applied, whether the key is contended or not, and the worst of it counts', () => {
  const keys = new ContendedKeys();
  keys.heated('k');
  keys.lacks('k', LACK.peerWrites);
  keys.lacks('k', LACK.peerRemovals);
  keys.cooled('k');
  expect(keys.lackOf('k')).toBe(LACK.peerWrites);
  keys.settled('k');
  expect(keys.lackOf('k')).toBe(LACK.nothing);
});

test('no more than 10,000 keys are remembered, and the oldest goes', () => {
  const keys = new ContendedKeys();
  for (let i = 0; i <= 10_000; i++) keys.heated(String(i));
  expect([keys.has('0'), keys.has('1'), keys.has('10000')]).toEqual([false, true, true]);
});
