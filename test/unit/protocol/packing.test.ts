import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  MAX_UNPACKED_BYTES,
  numbered,
  numberOf,
  pack,
  READABLE,
  unpack,
} from '../../../src/protocol/packing.js';

function codeOf(work: () => unknown): unknown {
  try {
    work();
    return undefined;
  } catch (error) {
    return (error as { code?: string }).code;
  }
}

test('what every supported Node.js has can be read', () => {
  expect(READABLE).toEqual(expect.arrayContaining(['deflate-raw', 'brotli']));
  expect(READABLE.includes('zstd')).toBe(process.versions['zstd'] !== undefined);
});

test('algorithms keep their numbers: batches with them stand in lists', () => {
  expect(['deflate-raw', 'brotli', 'zstd'].map((name) => numberOf(name as 'brotli'))).toEqual([1, 2, 3]);
  expect([0, 1, 2, 3, 4, 1.5].map((number) => numbered(number))).toEqual([
    undefined,
    'deflate-raw',
    'brotli',
    'zstd',
    undefined,
    undefined,
  ]);
});

describe.each(READABLE)('%s', (algorithm) => {
  test('gives back what was packed', () => {
    const payload = fc.oneof(
      fc.uint8Array({ minLength: 1, maxLength: 2000 }),
      fc.string({ minLength: 1 }).map((text) => Buffer.from(text.repeat(50) || 'x')),
    );
    fc.assert(
      fc.property(payload, (bytes) => {
        const whole = Buffer.from(bytes);
        const packed = pack(algorithm, whole);
        expect(unpack(packed, { algorithm, bytes: whole.length }).equals(whole)).toBe(true);
      }),
    );
  });

  test('gives back the largest payload there may be', () => {
    const whole = Buffer.alloc(MAX_UNPACKED_BYTES, 'abc');
    const packed = pack(algorithm, whole);
    expect(packed.length).toBeLessThan(whole.length / 50);
    expect(unpack(packed, { algorithm, bytes: whole.length }).equals(whole)).toBe(true);
  });

  test.each([
    ['less than is in it', 999],
    ['more than is in it', 1001],
    ['nothing', 0],
    ['more than anything may be', MAX_UNPACKED_BYTES + 1],
  ])('refuses a batch that announces %s', (_, bytes) => {
    const packed = pack(algorithm, Buffer.alloc(1000, 'abc'));
    expect(codeOf(() => unpack(packed, { algorithm, bytes }))).toBe('BATCH_INVALID');
  });

  test('refuses few bytes that would come to many, without taking the memory', () => {
    const bomb = pack(algorithm, Buffer.alloc(64 * 1024 * 1024));
    const before = process.memoryUsage().arrayBuffers;
    expect(codeOf(() => unpack(bomb, { algorithm, bytes: MAX_UNPACKED_BYTES }))).toBe('BATCH_INVALID');
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(4 * MAX_UNPACKED_BYTES);
  });

  test('refuses what is cut short', () => {
    const packed = pack(algorithm, Buffer.from('the same again, the same again, the same again'));
    for (let length = 0; length < packed.length; length++)
      expect(codeOf(() => unpack(packed.subarray(0, length), { algorithm, bytes: 46 }))).toBe(
        'BATCH_INVALID',
      );
  });

  test('refuses any other bytes, or what they come to is as long as announced', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), fc.integer({ min: 1, max: 100 }), (other, bytes) => {
        let payload: Buffer | undefined;
        const code = codeOf(() => (payload = unpack(Buffer.from(other), { algorithm, bytes })));
        if (payload) expect(payload.length).toBe(bytes);
        else expect(code).toBe('BATCH_INVALID');
      }),
      { numRuns: 1000 },
    );
  });
});

test.runIf(process.versions['zstd'] === undefined)(
  'an algorithm that this Node.js does not have is named, and no damage is told of',
  () => {
    expect(codeOf(() => unpack(Buffer.from('x'), { algorithm: 'zstd', bytes: 1 }))).toBe('BATCH_VERSION');
  },
);
