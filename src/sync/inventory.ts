/**
 * Which keys a site had when it first met its peer. Until the first copy is done, a change that crosses can make a key that is only
 * a part of what the other site has: such a key is no value of this site's, that would differ from the other's. Asked about
 * keys that differ, and kept in Redis until then.
 */

import type { Redis } from 'ioredis';
import type { PlacedKey } from '../redis-commands/placed-key.js';
import { answerOf } from '../redis/connect.js';
import { KeyBloom } from './key-bloom.js';
import { databaseSizes, scan, type Chosen } from './chosen-keys.js';

/** Beyond eleven million keys more are taken for ones that were there. */
const MAX_BYTES = 32 * 1024 * 1024;
const STEP_KEYS = 1000;
/** How long it is kept at the most: the peer's first copy may need it after this site's own. */
const KEPT_SECONDS = 7 * 24 * 3600;

export interface InventoryPlace {
  readonly client: Redis;
  /** Name of the key it is kept at. */
  readonly name: string;
}

export class Inventory {
  readonly #keys: KeyBloom;

  private constructor(keys: KeyBloom) {
    this.#keys = keys;
  }

  /** The one that was taken here, if it is still kept. */
  static async find({ client, name }: InventoryPlace): Promise<Inventory | undefined> {
    const bits = await answerOf(client, client.getBuffer(name));
    return bits === null || bits.length === 0 ? undefined : new Inventory(new KeyBloom(bits));
  }

  /** Goes through all keys, and keeps what it finds. Nothing of the peer's may have been applied yet. */
  static async take(
    { client, name }: InventoryPlace,
    chosen: Chosen,
    signal: AbortSignal,
  ): Promise<Inventory> {
    const sizes = await databaseSizes(client);
    const count = [...sizes.values()].reduce((sum, keys) => sum + keys, 0);
    const bloom = KeyBloom.of({ keys: count, maxBytes: MAX_BYTES });
    for (const database of sizes.keys()) {
      for (let cursor = '0'; ;) {
        signal.throwIfAborted();
        const found = await scan(client, { database, cursor, count: STEP_KEYS });
        for (const key of found.keys) if (chosen.key(database, key)) bloom.add({ database, key });
        cursor = found.cursor;
        if (cursor === '0') break;
      }
    }
    await answerOf(client, client.set(name, bloom.bits, 'EX', KEPT_SECONDS));
    return new Inventory(bloom);
  }

  has(key: PlacedKey): boolean {
    return this.#keys.has(key);
  }
}
