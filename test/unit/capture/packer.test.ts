import { randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import { Packer } from '../../../src/capture/packer.js';
import { MAX_UNPACKED_BYTES, unpack } from '../../../src/protocol/packing.js';

const TEXT = Buffer.from('SET session:1 {"user":"somebody"}\r\n'.repeat(100));

function isPacked(packer: Packer, payload: Buffer): boolean {
  return packer.seal(payload).packing !== undefined;
}

test('a payload that becomes smaller is packed, and says how', () => {
  const { packing, body } = new Packer(() => 'brotli').seal(TEXT);
  expect(packing).toEqual({ algorithm: 'brotli', bytes: TEXT.length });
  expect(body.length).toBeLessThan(TEXT.length / 10);
  expect(unpack(body, packing!).equals(TEXT)).toBe(true);
});

test('a payload stays as it is where nothing may be packed, and follows at once when it may', () => {
  let algorithm: 'deflate-raw' | undefined;
  const packer = new Packer(() => algorithm);
  expect(packer.seal(TEXT)).toEqual({ packing: undefined, body: TEXT });
  algorithm = 'deflate-raw';
  expect(packer.seal(TEXT).packing?.algorithm).toBe('deflate-raw');
});

test('a short payload, and one that is larger than a peer unpacks, stay as they are', () => {
  const packer = new Packer(() => 'brotli');
  expect(isPacked(packer, Buffer.alloc(255, 'a'))).toBe(false);
  expect(isPacked(packer, Buffer.alloc(256, 'a'))).toBe(true);
  expect(isPacked(packer, Buffer.alloc(MAX_UNPACKED_BYTES, 'a'))).toBe(true);
  expect(isPacked(packer, Buffer.alloc(MAX_UNPACKED_BYTES + 1, 'a'))).toBe(false);
});

test('a stream that gains nothing is tried less and less often, and packed when it gains again', () => {
  const noise = randomBytes(4096);
  const leftAfter = (failures: number): number => {
    const fresh = new Packer(() => 'brotli');
    for (let failed = 0, left = 0; failed < failures; failed++) {
      for (let i = 0; i < left; i++) expect(isPacked(fresh, noise)).toBe(false);
      expect(isPacked(fresh, noise)).toBe(false);
      left = Math.min(64, Math.max(1, left * 2));
    }
    let count = 0;
    while (!isPacked(fresh, TEXT)) count++;
    // Once it has gained, one failure counts as the first again.
    expect(isPacked(fresh, noise)).toBe(false);
    expect(isPacked(fresh, TEXT)).toBe(false);
    expect(isPacked(fresh, TEXT)).toBe(true);
    return count;
  };
  expect([1, 2, 3, 7, 20].map((failures) => leftAfter(failures))).toEqual([1, 2, 4, 64, 64]);
});

test('what gains less than a tenth stays as it is', () => {
  const packer = new Packer(() => 'deflate-raw');
  const mostlyNoise = Buffer.concat([randomBytes(9500), Buffer.alloc(500)]);
  expect(isPacked(packer, mostlyNoise)).toBe(false);
  const halfNoise = Buffer.concat([randomBytes(5000), Buffer.alloc(5000)]);
  expect(isPacked(new Packer(() => 'deflate-raw'), halfNoise)).toBe(true);
});
