/**
 * Which keys the peer has in a database, as far as its names tell: what it does not have needs no comparison before it is copied.
 * A key that comes to be there afterwards is written by somebody, and a copy stands below whatever is written.
 */

import type { PlacedKey } from '../change/special.js';
import type { Exchange } from './exchange.js';
import { KeyBloom } from './key-bloom.js';
import type { Chosen } from './keys.js';

const LISTED_KEYS = 2000;
const PART_KEYS = 100_000;
const PART_BYTES = 300_000;
/** When the peer has so many times more keys, the names cost more than the questions they would save. */
const TIMES_OWN = 4;
const FEW_KEYS = 10_000;
/** 25 MB; beyond that every key is asked about. */
const MAX_KEYS = 8_000_000;

export class PeerNames {
  readonly #parts: readonly KeyBloom[];
  readonly #areTooMany: boolean;

  private constructor(parts: readonly KeyBloom[], areTooMany: boolean) {
    this.#parts = parts;
    this.#areTooMany = areTooMany;
  }

  /** @param options `ownKeys`: how many keys this site has in the database */
  static async ask(
    exchange: Exchange,
    { database, ownKeys, chosen }: { database: number; ownKeys: number; chosen: Chosen },
    signal: AbortSignal,
  ): Promise<PeerNames> {
    const parts: KeyBloom[] = [];
    const limit = Math.min(MAX_KEYS, FEW_KEYS + TIMES_OWN * ownKeys);
    let [cursor, count] = ['0', 0];
    do {
      const listed = await exchange.list({ database, cursor, count: LISTED_KEYS }, signal);
      for (const key of listed.keys) {
        if (!chosen.key(database, key)) continue;
        if (count++ % PART_KEYS === 0) parts.push(KeyBloom.of({ keys: PART_KEYS, maxBytes: PART_BYTES }));
        parts.at(-1)!.add({ database, key });
      }
      ({ cursor } = listed);
      if (count > limit) return new PeerNames([], true);
    } while (cursor !== '0');
    return new PeerNames(parts, false);
  }

  /** Whether the peer may have this key. */
  mayHave(key: PlacedKey): boolean {
    return this.#areTooMany || this.#parts.some((part) => part.has(key));
  }
}
