/** Packs the payloads of batches, where that makes them smaller by enough. */

import type { SealedBatch } from '../protocol/batch.js';
import { MAX_UNPACKED_BYTES, pack, type Algorithm } from '../protocol/packing.js';

/** A shorter payload is left: what surrounds it on the way is longer. */
const LEAST_BYTES = 256;
/** The share of its bytes that a packed payload may have. A larger one is not worth the unpacking. */
const WORTH = 0.9;
/** Batches that are left alone after one that was not worth it: doubles each time. */
const MOST_LEFT = 64;

export class Packer {
  readonly #algorithm: () => Algorithm | undefined;
  /** Batches still to be left alone, and how many were after the last that was not worth it. */
  #leave = 0;
  #left = 0;

  /** @param algorithm by which the next batch may be packed; undefined: by none */
  constructor(algorithm: () => Algorithm | undefined) {
    this.#algorithm = algorithm;
  }

  /** The payload for a list element. It stays the caller's where it is not packed. */
  seal(payload: Buffer): Pick<SealedBatch, 'packing' | 'body'> {
    const plain = { packing: undefined, body: payload };
    if (payload.length < LEAST_BYTES || payload.length > MAX_UNPACKED_BYTES) return plain;
    const algorithm = this.#algorithm();
    if (algorithm === undefined) return plain;
    if (this.#leave > 0) {
      this.#leave--;
      return plain;
    }
    const body = pack(algorithm, payload);
    if (body.length > payload.length * WORTH) {
      this.#left = Math.min(MOST_LEFT, Math.max(1, this.#left * 2));
      this.#leave = this.#left;
      return plain;
    }
    this.#left = 0;
    return { packing: { algorithm, bytes: payload.length }, body };
  }
}
