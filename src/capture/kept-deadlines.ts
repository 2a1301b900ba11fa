/** Deadlines that keys have kept here through changes of the peer's, where the peer may have lost them: it is told of each again. */

import type { Filter } from '../config/filter.js';
import type { Deadlines } from '../local-writes/deadlines.js';
import { KeyHash } from '../protocol/key-hash.js';
import { DEADLINE, DEADLINE_MESSAGE } from '../protocol/messages/key-deadline.js';
import { nameOf } from '../protocol/payload.js';
import { encodeCommand } from '../redis-commands/encode-command.js';
import type { PlacedKey } from '../redis-commands/placed-key.js';

/** What tells the peer, as if a client had given the key the deadline that it has. */
export interface KeptDeadline {
  readonly key: PlacedKey;
  /** A `PEXPIREAT`, to run in the database of the key. */
  readonly bytes: Buffer;
}

export class KeptDeadlines {
  readonly #deadlines: Deadlines;
  readonly #hash = new KeyHash();
  /** Keys of the applied transaction that is being read, by database and name. */
  readonly #keys = new Map<string, PlacedKey>();

  constructor(deadlines: Deadlines) {
    this.#deadlines = deadlines;
  }

  /** @param args of a message @returns whether it says that the peer is to be told of a deadline */
  told(args: readonly Buffer[]): boolean {
    if (args[0]!.toString('latin1') !== DEADLINE) return false;
    for (const key of DEADLINE_MESSAGE.keys(args)) this.#keys.set(nameOf(key), key);
    return true;
  }

  /**
   * The transaction has ended: the deadlines that those keys have now. One that is not known here is not told, nor that of a key that
   * the filters leave out.
   */
  take(filter: Filter): KeptDeadline[] {
    if (this.#keys.size === 0) return [];
    const kept: KeptDeadline[] = [];
    for (const key of this.#keys.values()) {
      this.#hash.of(key.database, key.key, 0, key.key.length);
      const at = this.#deadlines.living(this.#hash.low, this.#hash.high);
      if (at === undefined || !filter.key(key.database, key.key)) continue;
      kept.push({ key, bytes: encodeCommand(['PEXPIREAT', key.key, at]) });
    }
    this.#keys.clear();
    return kept;
  }
}
