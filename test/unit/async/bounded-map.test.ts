import { expect, test } from 'vitest';
import { BoundedMap } from '../../../src/async/bounded-map.js';

test('of more entries than fit, the one that was set longest ago goes', () => {
  const map = new BoundedMap<string, number>(2);
  expect([map.set('a', 1), map.set('b', 2), map.set('a', 3), map.set('c', 4)]).toEqual([
    false,
    false,
    false,
    true,
  ]);
  expect([map.get('a'), map.has('b'), map.get('c')]).toEqual([3, false, 4]);
});

test('an entry that is deleted makes room', () => {
  const map = new BoundedMap<string, number>(1);
  map.set('a', 1);
  map.delete('a');
  expect([map.set('b', 2), map.has('a'), map.get('b')]).toEqual([false, false, 2]);
});
