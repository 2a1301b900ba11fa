import { expect, test } from 'vitest';
import { renderRejected } from '../../../src/cli/rejected.js';
import type { RejectedEntry } from '../../../src/inbound/rejected-list.js';

const ENTRY: RejectedEntry = {
  id: '7-0',
  at: 7,
  sequence: 1,
  database: 0,
  command: Buffer.from('HSET'),
  key: Buffer.from('k'),
  error: Buffer.from('WRONGTYPE'),
  tries: 0,
};

test('below the list stands what can be done about it', () => {
  const text = renderRejected([ENTRY], 1, 'west');
  for (const command of ['retry', 'drop'])
    expect(text).toContain(`→ tandem rejected ${command} ID … (or --all)`);
  expect(text).toContain('→ tandem repair');
});

test('where nothing was rejected nothing is to be done', () => {
  expect(renderRejected([], 0, 'west')).toBe('No change was rejected.');
});
