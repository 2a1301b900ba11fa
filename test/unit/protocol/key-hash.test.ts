import { describe, expect, test } from 'vitest';
import { KeyHash } from '../../../src/protocol/key-hash.js';

const hash = new KeyHash();

function hashOf(database: number, key: Uint8Array): bigint {
  hash.of(database, key, 0, key.length);
  return (BigInt(hash.high) << 32n) | BigInt(hash.low);
}

/** Keys as applications name them, and keys that only a hash would find alike. */
const FAMILIES: Record<string, (i: number) => { database: number; key: Buffer }> = {
  'counted names': (i) => ({ database: 0, key: Buffer.from(`user:${i}:profile`) }),
  'the same names in sixteen databases': (i) => ({ database: i % 16, key: Buffer.from(`session:${i >> 4}`) }),
  'numbers of four bytes': (i) => ({ database: 0, key: Buffer.from(Uint32Array.of(i).buffer) }),
  'numbers of eight bytes in two swapped halves': (i) => ({
    database: 0,
    key: Buffer.from(Uint32Array.of(i & 511, i >> 9).buffer),
  }),
  'all keys of up to two bytes': (i) => ({
    database: 0,
    key: i < 256 ? Buffer.of(i) : Buffer.of(i & 255, (i >> 8) & 255, ...(i >> 16 === 0 ? [] : [i >> 16])),
  }),
  'zeros of different lengths before a counter': (i) => ({
    database: 0,
    key: Buffer.concat([Buffer.alloc(i % 64), Buffer.from(`${i >> 6}`)]),
  }),
};

const KEYS = 1 << 17;

describe.each(Object.entries(FAMILIES))('of %s', (_, keyOf) => {
  test('no two are alike, and every bit of the hash is used', () => {
    const seen = new Set<string>();
    const hashes = new Set<bigint>();
    const bits = new Float64Array(64);
    for (let i = 0; i < KEYS; i++) {
      const { database, key } = keyOf(i);
      const name = `${database}:${key.toString('latin1')}`;
      if (seen.has(name)) continue;
      seen.add(name);
      hashes.add(hashOf(database, key));
      for (let bit = 0; bit < 32; bit++) {
        bits[bit]! += (hash.low >>> bit) & 1;
        bits[bit + 32]! += (hash.high >>> bit) & 1;
      }
    }
    expect(seen.size - hashes.size).toBe(0);
    for (const count of bits) expect(Math.abs(count / seen.size - 0.5)).toBeLessThan(0.02);
  });

  test('each half on its own is spread as evenly as chance', () => {
    const buckets = { low: new Float64Array(1024), high: new Float64Array(1024) };
    for (let i = 0; i < KEYS; i++) {
      const { database, key } = keyOf(i);
      hash.of(database, key, 0, key.length);
      buckets.low[hash.low & 1023]!++;
      buckets.high[hash.high & 1023]!++;
    }
    for (const counts of [buckets.low, buckets.high]) {
      const mean = KEYS / 1024;
      const chiSquare = counts.reduce((sum, count) => sum + (count - mean) ** 2 / mean, 0);
      // 1023 degrees of freedom: 1023 ± 45. Better than chance is good too.
      expect(chiSquare).toBeLessThan(1400);
    }
  });
});

test('a hash depends on the bytes between start and end alone', () => {
  const key = Buffer.from('a key of some length');
  const around = Buffer.concat([Buffer.from('before'), key, Buffer.from('behind')]);
  hash.of(3, around, 6, 6 + key.length);
  const [low, high] = [hash.low, hash.high];
  expect(hashOf(3, key)).toBe((BigInt(high) << 32n) | BigInt(low));
  expect(hashOf(4, key)).not.toBe(hashOf(3, key));
});

test('both halves are unsigned', () => {
  for (let i = 0; i < 1000; i++) {
    hashOf(i, Buffer.from(`${i}`));
    expect(hash.low >= 0 && hash.high >= 0).toBe(true);
  }
});
