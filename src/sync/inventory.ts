/**
 * Which keys a site had when it first met its peer. Until the first copy is done, a change that crosses can make a key that is only
 * a part of what the other site has: such a key is no value of this site's, that would differ from the other's. Asked about
 * keys that differ, and kept in Redis until then; a Bloom filter, so one key in two thousand is taken for one that was there.
 */

import type { Redis } from 'ioredis';
import { KeyHash } from '../change/key-hash.js';
import type { PlacedKey } from '../change/special.js';
import { answerOf } from '../redis/connect.js';
import { databaseSizes, scan, type Chosen } from './keys.js';

const BYTES_A_KEY = 3;
const PROBES = 4;
const MIN_BYTES = 1024;
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
  readonly #bits: Buffer;
  readonly #hash = new KeyHash();

  private constructor(bits: Buffer) {
    this.#bits = bits;
  }

  /** The one that was taken here, if it is still kept. */
  static async find({ client, name }: InventoryPlace): Promise<Inventory | undefined> {
    const bits = await answerOf(client, client.getBuffer(name));
    return bits === null || bits.length === 0 ? undefined : new Inventory(bits);
  }

  /** Goes through all keys, and keeps what it finds. Nothing of the peer's may have been applied yet. */
  static async take(
    { client, name }: InventoryPlace,
    chosen: Chosen,
    signal: AbortSignal,
  ): Promise<Inventory> {
    const sizes = await databaseSizes(client);
    const count = [...sizes.values()].reduce((sum, keys) => sum + keys, 0);
    const bytes = Math.min(MAX_BYTES, Math.max(MIN_BYTES, count * BYTES_A_KEY));
    const inventory = new Inventory(Buffer.alloc(bytes));
    for (const database of sizes.keys()) {
      for (let cursor = '0'; ;) {
        signal.throwIfAborted();
        const found = await scan(client, { database, cursor, count: STEP_KEYS });
        for (const key of found.keys) if (chosen.key(database, key)) inventory.#add({ database, key });
        cursor = found.cursor;
        if (cursor === '0') break;
      }
    }
    await answerOf(client, client.set(name, inventory.#bits, 'EX', KEPT_SECONDS));
    return inventory;
  }

  has(key: PlacedKey): boolean {
    return this.#places(key).every((at) => (this.#bits[at >>> 3]! & (1 << (at & 7))) !== 0);
  }

  #add(key: PlacedKey): void {
    for (const at of this.#places(key)) this.#bits[at >>> 3]! |= 1 << (at & 7);
  }

  #places({ database, key }: PlacedKey): number[] {
    this.#hash.of(database, key, 0, key.length);
    const { low, high } = this.#hash;
    return Array.from({ length: PROBES }, (_, probe) => (low + probe * high) % (this.#bits.length * 8));
  }
}
