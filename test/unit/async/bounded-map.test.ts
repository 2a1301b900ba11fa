import { expect, test } from 'vitest';
import { BoundedMap } from '../../../src/async/bounded-map.js';

test('of more entries than fit, the one that was set longest ago goes', () => {
  const map = new BoundedMap<string, number>(2);
  expect([map.set('a', 1), map.set('b', 2), map.set('a', 3), map.set('c', 4)]).toEqual([
    undefined,
    undefined,
    undefined,
    2,
  ]);
  expect([map.get('a'), map.has('b'), map.get('c')]).toEqual([3, false, 4]);
});

test('an entry that is deleted makes room', () => {
  const map = new BoundedMap<string, number>(1);
  map.set('a', 1);
  map.delete('a');
  expect([map.set('b', 2), map.has('a'), map.get('b')]).toEqual([undefined, false, 2]);
});

test('its values come in the order in which they were set', () => {
  const map = new BoundedMap<string, number>(3);
  for (const [key, value] of [
    ['a', 1],
    ['b', 2],
    ['a', 3],
  ] as const)
    map.set(key, value);
  expect([map.size, ...map.values()]).toEqual([2, 2, 3]);
  map.clear();
  expect(map.size).toBe(0);
});
