/**
 * Which keys the peer has in a database, as far as its names tell: what it does not have needs no comparison before it is copied. A key
 * that comes to be there afterwards was written there, and a copy ranks below any write.
 */

import type { PlacedKey } from '../redis-commands/placed-key.js';
import type { Exchange } from './exchange.js';
import { GrowingBloom } from './key-bloom.js';
import type { Chosen } from './chosen-keys.js';

const LISTED_KEYS = 2000;
/** When the peer has so many times more keys, the names cost more than the questions they would save. */
const TIMES_OWN = 4;
const FEW_KEYS = 10_000;

export class PeerNames {
  /** Nothing when the peer has too many. */
  readonly #names: GrowingBloom | undefined;

  private constructor(names: GrowingBloom | undefined) {
    this.#names = names;
  }

  /** @param options `ownKeys`: how many keys this site has in the database */
  static async ask(
    exchange: Exchange,
    { database, ownKeys, chosen }: { database: number; ownKeys: number; chosen: Chosen },
    signal: AbortSignal,
  ): Promise<PeerNames> {
    const names = new GrowingBloom();
    const limit = FEW_KEYS + TIMES_OWN * ownKeys;
    let cursor = '0';
    do {
      const listed = await exchange.list({ database, cursor, count: LISTED_KEYS }, signal);
      for (const key of listed.keys) if (chosen.key(database, key)) names.add({ database, key });
      ({ cursor } = listed);
      if (names.isFull || names.count > limit) return new PeerNames(undefined);
    } while (cursor !== '0');
    return new PeerNames(names);
  }

  /** Whether the peer may have this key. */
  mayHave(key: PlacedKey): boolean {
    return this.#names === undefined || this.#names.has(key);
  }
}
