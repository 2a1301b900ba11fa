import { expect, test } from 'vitest';
import { ChangeIndex, type Entry } from '../../../src/outbound/change-index.js';

const MiB = 1024 * 1024;

function entry(first: number, changes = 1, previous = first - 1): Entry {
  return {
    epoch: 7,
    first,
    last: first + changes - 1,
    previous,
    length: 100 + (first % 50),
    timestamp: first,
  };
}

test('holds what a plain list would hold, whatever is pushed, taken off and cleared', () => {
  const index = new ChangeIndex();
  let list: Entry[] = [];
  let next = 1;
  for (let round = 0; round < 200; round++) {
    for (let i = 0; i < (round * 37) % 101; i++) {
      const one = entry(next, 1 + (i % 3));
      next = one.last + 1;
      index.push(one);
      list.push(one);
    }
    const off = round % 50 === 49 ? list.length : Math.min(list.length, (round * 53) % 97);
    if (off === list.length) index.clear();
    else index.shift(off);
    list = list.slice(off);
    expect(index.size).toBe(list.length);
    expect([index.at(0), index.newest, index.at(list.length), index.at(-1)]).toEqual([
      list[0],
      list.at(-1),
      undefined,
      undefined,
    ]);
    const middle = list[list.length >> 1];
    if (middle) expect(index.at(index.find(middle.last))).toEqual(middle);
    expect(index.find(next)).toBe(list.length);
  }
});

test('goes over thousands of places, and keeps the bytes of the newest batches to themselves', () => {
  const index = new ChangeIndex();
  for (let first = 1; first <= 10_000; first++) index.push(entry(first), Buffer.from(String(first)));
  index.shift(5000);
  expect([index.at(0)?.first, index.bytesAt(0)?.toString(), index.at(4999)?.first]).toEqual([
    5001,
    '5001',
    10_000,
  ]);
});

test('keeps the bytes of batches that were read as long as there is room', () => {
  const index = new ChangeIndex();
  const bytes = Buffer.alloc(MiB);
  for (let first = 1; first <= 4; first++) index.push({ ...entry(first), length: MiB }, bytes);
  index.push({ ...entry(5), length: MiB }, bytes);
  expect(index.bytesAt(4)).toBeUndefined();
  index.read(1);
  expect(index.bytesAt(1)).toBe(bytes);
  index.push({ ...entry(6), length: MiB }, bytes);
  expect([0, 1, 2, 3, 4, 5].map((place) => index.bytesAt(place) === bytes)).toEqual([
    true,
    false,
    true,
    true,
    false,
    true,
  ]);
});

test('takes no more than 50 bytes for each batch that waits', () => {
  const index = new ChangeIndex();
  const before = process.memoryUsage();
  const COUNT = 2_000_000;
  for (let first = 1; first <= COUNT; first++) index.push(entry(first));
  const after = process.memoryUsage();
  expect(index.size).toBe(COUNT);
  expect((after.arrayBuffers - before.arrayBuffers) / COUNT).toBeLessThan(50);
  expect(after.heapUsed - before.heapUsed).toBeLessThan(50 * MiB);
});

test('says how a peer goes on', () => {
  const index = new ChangeIndex();
  expect([index.continuity(4, 4), index.continuity(3, 4), index.continuity(5, 4)]).toEqual([
    'whole',
    'hole',
    'ahead',
  ]);
  index.push(entry(5));
  index.push(entry(20, 2, 5));
  expect([4, 5, 20, 3, 12].map((received) => index.continuity(received, 21))).toEqual([
    'whole',
    'whole',
    'whole',
    'hole',
    'ahead',
  ]);
  index.shift(1);
  index.forgetPast();
  expect([19, 18, 5].map((received) => index.continuity(received, 21))).toEqual(['whole', 'hole', 'hole']);
});
