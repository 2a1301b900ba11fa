import { expect, test } from 'vitest';
import { COMMAND_TABLE } from '../../../src/redis-commands/command-table.js';
import { commandCatalogue, isAvailable, samplesFor } from '../../support/command-catalogue.js';

const samples = commandCatalogue('unit:');

test('every row of the command table has a sample, and every sample a row', () => {
  const rows = new Set(COMMAND_TABLE.map(({ name }) => name));
  const sampled = new Set(samples.map(({ name }) => name));
  expect([...rows].filter((name) => !sampled.has(name))).toEqual([]);
  expect([...sampled].filter((name) => !rows.has(name))).toEqual([]);
});

test('every sample has a title of its own', () => {
  const titles = samples.map(({ title }) => title);
  expect(titles.filter((title, index) => titles.indexOf(title) !== index)).toEqual([]);
});

test('a sample is offered to the servers that have its command', () => {
  const offers = (kind: 'redis' | 'valkey', version: string): Set<string> =>
    new Set(samplesFor({ kind, version }, 'unit:').map(({ name }) => name));
  expect(offers('redis', '6.2.14').has('LMPOP')).toBe(false);
  expect(offers('redis', '7.0.15').has('LMPOP')).toBe(true);
  expect(offers('redis', '8.10.0').has('LMOVEM')).toBe(true);
  expect(offers('valkey', '9.1.2').has('VADD')).toBe(false);
  expect(offers('valkey', '9.1.2').has('DELIFEQ')).toBe(true);
});

test('versions are compared as numbers', () => {
  expect(isAvailable('redis 8.4', { kind: 'redis', version: '8.10.1' })).toBe(true);
  expect(isAvailable('redis 8.10', { kind: 'redis', version: '8.4.0' })).toBe(false);
  expect(isAvailable(undefined, { kind: 'redis', version: '6.2.0' })).toBe(true);
});
