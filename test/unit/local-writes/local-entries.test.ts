import { describe, expect, test } from 'vitest';
import { LocalEntries } from '../../../src/local-writes/local-entries.js';

const KEY = { database: 0, key: Buffer.from('s') };

function recorded(lines: readonly string[], letGo = 0): LocalEntries {
  const entries = new LocalEntries(() => letGo);
  for (const [at, line] of lines.entries()) {
    const args = line.split(' ').map((word) => Buffer.from(word));
    entries.record({ name: args[0]!.toString(), args, database: 0 }, at + 1);
  }
  return entries;
}

describe('an entry that the peer takes off', () => {
  test.each([
    ['was added here', ['XADD s MAXLEN = 3 7-1 f v'], true],
    ['was delivered here', ['XCLAIM s g ann 0 7-1 TIME 1 RETRYCOUNT 1 FORCE JUSTID LASTID 7-1'], false],
    ['is another one', ['XADD s 7-2 f v', 'XADD other 7-1 f v'], false],
  ])('%s, unseen: %j, %j', (_, lines, isUnseen) => {
    expect(recorded(lines).isUnseen(KEY, '7-1', 0)).toBe(isUnseen);
  });

  test('is nothing to settle when the sender had seen what was done with it', () => {
    const entries = recorded(['XADD s 7-1 f v', 'XADD s 7-2 f v']);
    expect([1, 2].map((seen) => entries.isUnseen(KEY, '7-1', seen))).toEqual([false, false]);
    expect([1, 2].map((seen) => entries.isUnseenBelow(KEY, '8-0', seen))).toEqual([true, false]);
  });

  test('is below an ID by number, not by text, and a bare number is an ID', () => {
    const entries = recorded(['XADD s 99 f v']);
    const below = ['100-0', '99-1', '99-0', '9-0', undefined].map((id) => entries.isUnseenBelow(KEY, id, 0));
    expect(below).toEqual([true, true, false, false, true]);
  });
});

test.each([
  ['XADD s 7-1 f v', true],
  ['XTRIM s MAXLEN = 3', true],
  ['XDEL s 7-1', true],
  ['XCLAIM s g ann 0 7-1', false],
])('%s: entries of the stream may be gone here: %j', (line, has) => {
  const entries = recorded(['XADD other 7-1 f v', line]);
  expect([entries.has(KEY), entries.isNewSince(KEY, 1), entries.isNewSince(KEY, 2)]).toEqual([
    has,
    has,
    false,
  ]);
});

test('a stream is known as written here, and what no change is held against any more is let go of', () => {
  const entries = recorded(['XADD s 7-1 f v', 'XADD s 7-2 f v'], 1);
  expect([entries.has(KEY), entries.has({ database: 1, key: KEY.key }), entries.isEmpty]).toEqual([
    true,
    false,
    false,
  ]);
  expect([entries.isUnseen(KEY, '7-1', 0), entries.isUnseen(KEY, '7-2', 0)]).toEqual([false, true]);
});

test('of more entries and streams than are held everything unseen counts as meant', () => {
  const entries = new LocalEntries(() => 0);
  const add = (key: string, id: number, sequence: number): void =>
    entries.record(
      {
        name: 'XADD',
        args: ['XADD', key, `${id}-1`, 'f', 'v'].map((word) => Buffer.from(word)),
        database: 0,
      },
      sequence,
    );
  for (let i = 1; i <= 100_001; i++) add('s', i, i);
  expect([entries.isUnseen(KEY, '5-5', 100_000), entries.isUnseen(KEY, '5-5', 100_001)]).toEqual([
    true,
    false,
  ]);
  for (let i = 1; i <= 1000; i++) add(`other ${i}`, 1, 100_001 + i);
  expect([entries.isUnseen(KEY, '5-5', 100_000), entries.isUnseen(KEY, '5-5', 100_001)]).toEqual([
    true,
    false,
  ]);
});
