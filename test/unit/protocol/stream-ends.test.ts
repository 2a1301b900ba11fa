import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { decodeEnds, encodeEnds } from '../../../src/protocol/stream-ends.js';

it('gives back the offsets that were written, up to the largest exact number', () => {
  const offsets = fc.array(fc.nat({ max: 2 ** 48 }), { maxLength: 20 });
  fc.assert(
    fc.property(offsets, (list) => {
      const ends = list.toSorted((a, b) => a - b);
      expect(decodeEnds(encodeEnds(ends))).toEqual(ends);
    }),
  );
  expect(decodeEnds(encodeEnds([Number.MAX_SAFE_INTEGER]))).toEqual([Number.MAX_SAFE_INTEGER]);
  expect(decodeEnds(encodeEnds([]))).toEqual([]);
});

it('takes a byte for each change that is no longer than most are', () => {
  expect(encodeEnds(Array.from({ length: 100 }, (_, at) => 1000 + at * 90)).length).toBe(101);
});
