import { expect, test } from 'vitest';
import { freePort } from '../../support/ports.js';

test('two sites of one test are not given the same port before they listen there', async () => {
  const ports = await Promise.all(Array.from({ length: 400 }, freePort));
  expect(new Set(ports).size).toBe(ports.length);
});
