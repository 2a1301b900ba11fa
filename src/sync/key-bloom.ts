import { KeyHash } from '../protocol/key-hash.js';
import type { PlacedKey } from '../redis-commands/placed-key.js';

const BYTES_A_KEY = 3;
const PROBES = 4;
const MIN_BYTES = 1024;
const PART_KEYS = 100_000;
/** 25 MB. */
const MAX_KEYS = 8_000_000;

/** A Bloom filter of keys: of those that were not added, one in two thousand is taken for one that was. */
export class KeyBloom {
  readonly bits: Buffer;
  readonly #hash = new KeyHash();

  /** @param bits as {@link bits} gave them, or zeroes */
  constructor(bits: Buffer) {
    this.bits = bits;
  }

  /** An empty one. @param options `keys`: how many will be added; `maxBytes`: more than it holds are taken for added */
  static of({ keys, maxBytes }: { keys: number; maxBytes: number }): KeyBloom {
    return new KeyBloom(Buffer.alloc(Math.min(maxBytes, Math.max(MIN_BYTES, keys * BYTES_A_KEY))));
  }

  has({ database, key }: PlacedKey): boolean {
    this.#hash.of(database, key, 0, key.length);
    for (let probe = 0; probe < PROBES; probe++) {
      const at = this.#place(probe);
      if ((this.bits[at >>> 3]! & (1 << (at & 7))) === 0) return false;
    }
    return true;
  }

  add({ database, key }: PlacedKey): void {
    this.#hash.of(database, key, 0, key.length);
    for (let probe = 0; probe < PROBES; probe++) {
      const at = this.#place(probe);
      this.bits[at >>> 3]! |= 1 << (at & 7);
    }
  }

  /** The bit of a probe for the key that was hashed last. */
  #place(probe: number): number {
    return (this.#hash.low + probe * this.#hash.high) % (this.bits.length * 8);
  }
}

/** A Bloom filter that grows with what is added, up to a bound. */
export class GrowingBloom {
  readonly #parts: KeyBloom[] = [];
  #count = 0;

  /** How many were added. */
  get count(): number {
    return this.#count;
  }

  /** Whether it takes no more: what is added then is not in it. */
  get isFull(): boolean {
    return this.#count >= MAX_KEYS;
  }

  add(key: PlacedKey): void {
    if (this.isFull) return;
    if (this.#count++ % PART_KEYS === 0)
      this.#parts.push(KeyBloom.of({ keys: PART_KEYS, maxBytes: PART_KEYS * BYTES_A_KEY }));
    this.#parts.at(-1)!.add(key);
  }

  has(key: PlacedKey): boolean {
    return this.#parts.some((part) => part.has(key));
  }
}
