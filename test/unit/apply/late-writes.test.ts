import { describe, expect, test } from 'vitest';
import { LateWrites } from '../../../src/apply/late-writes.js';
import { Window } from '../../../src/apply/window.js';
import type { Batch } from '../../../src/change/batch.js';
import { KeyHash } from '../../../src/change/key-hash.js';
import { resp } from '../change/chunks.js';

function batchOf(first: number, ...lines: string[]): Batch {
  const counts = { epoch: 1, timestamp: 1, seenEpoch: 1, seen: 0, special: 0 };
  const payload = resp('SELECT 0', ...lines);
  return { pair: 'p', origin: 'o', ...counts, first, changes: lines.length, commands: lines.length + 1, groups: [], payload };
}

function setup(): { late: LateWrites; write: (key: string, sequence: number) => void } {
  const window = new Window({ recentMs: 1000, maxEntries: 1000 });
  const hash = new KeyHash();
  return {
    late: new LateWrites(window),
    write: (key, sequence) => {
      hash.of(0, Buffer.from(key), 0, key.length);
      window.record(hash.low, hash.high, sequence, 0);
    },
  };
}

describe('a local write is late', () => {
  test('when it stands behind what was decided against and before the marker, on a key of the batch', () => {
    const { late, write } = setup();
    write('a', 1);
    late.decided(batchOf(5, 'SET a 1', 'SET b 1'));
    write('a', 2);
    write('c', 3);
    expect([late.applied(6, 1), late.count]).toEqual([1, 1]);
  });

  test('but not when it had been decided against, or is on another key', () => {
    const { late, write } = setup();
    write('a', 1);
    late.decided(batchOf(5, 'SET a 1'));
    write('c', 2);
    expect(late.applied(5, 1)).toBe(0);
  });

  test('when the key is only read by the batch', () => {
    const { late, write } = setup();
    late.decided(batchOf(5, 'COPY source target'));
    write('source', 1);
    expect(late.applied(5, 0)).toBe(1);
  });
});

test('a marker of a batch that was not decided here says nothing', () => {
  const { late, write } = setup();
  write('a', 1);
  expect(late.applied(5, 0)).toBe(0);
});

test('each batch is looked at once', () => {
  const { late, write } = setup();
  late.decided(batchOf(5, 'SET a 1'));
  write('a', 1);
  expect([late.applied(5, 0), late.applied(5, 0)]).toEqual([1, 0]);
});
