/**
 * A 64-bit hash of a database number and a key, left in {@link KeyHash.low} and {@link KeyHash.high}, so that the hot path
 * makes no object per key. Two FNV-like lanes with different multipliers, finished as in MurmurHash3 (fmix32).
 */
export class KeyHash {
  low = 0;
  high = 0;

  of(database: number, bytes: Uint8Array, start: number, end: number): void {
    let a = 0x9e3779b9 ^ database;
    let b = 0x85ebca6b + Math.imul(database, 0x27d4eb2f);
    let at = start;
    for (; at + 4 <= end; at += 4) {
      const word = bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
      a = Math.imul(a ^ word, 0xcc9e2d51);
      a ^= a >>> 15;
      b = Math.imul(b + word, 0x1b873593);
      b ^= b >>> 13;
    }
    for (; at < end; at++) {
      a = Math.imul(a ^ bytes[at]!, 0x01000193);
      b = Math.imul(b + bytes[at]!, 0x19d699a5) ^ (b >>> 11);
    }
    this.low = mix(a ^ (end - start)) >>> 0;
    this.high = mix(b ^ a) >>> 0;
  }
}

function mix(value: number): number {
  let h = value;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}
