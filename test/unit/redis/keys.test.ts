import { expect, it } from 'vitest';
import { keyNames } from '../../../src/redis/keys.js';

it('all internal keys stand under one prefix, in one cluster slot, and the open ones under in:', () => {
  const { prefix, peerPrefix, ...names } = keyNames({ prefix: 'tandem', pair: 'orders' });
  expect(prefix).toBe('tandem:{orders}:');
  for (const name of Object.values(names)) expect(name.startsWith(prefix)).toBe(true);
  expect(new Set(Object.values(names)).size).toBe(Object.keys(names).length);
  const open = Object.entries(names).filter(([, name]) => name.startsWith(peerPrefix));
  expect(open.map(([name]) => name).toSorted()).toEqual(['copy', 'inbox', 'received', 'site']);
});
