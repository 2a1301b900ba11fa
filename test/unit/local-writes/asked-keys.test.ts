import { expect, test } from 'vitest';
import { AskedKeys } from '../../../src/local-writes/asked-keys.js';

test('a key is asked for once, until the peer has seen the request', () => {
  const asked = new AskedKeys();
  expect(asked.ask('k', { sequence: 5, isLacking: true }, 0)).toBe(true);
  expect(asked.ask('k', { sequence: 7, isLacking: true }, 4)).toBe(false);
  expect(asked.ask('other', { sequence: 7, isLacking: true }, 4)).toBe(true);
  expect(asked.ask('k', { sequence: 8, isLacking: true }, 5)).toBe(true);
});

test('a request that says less is not enough for a value that lacks something', () => {
  const asked = new AskedKeys();
  expect(asked.ask('k', { sequence: 5, isLacking: false }, 0)).toBe(true);
  expect(asked.ask('k', { sequence: 6, isLacking: false }, 0)).toBe(false);
  expect(asked.ask('k', { sequence: 7, isLacking: true }, 0)).toBe(true);
  expect(asked.ask('k', { sequence: 8, isLacking: false }, 0)).toBe(false);
});
