/**
 * Tells which commands run as they are, although their key has local writes that the sender had not seen. These are commands that come
 * to the same in either order, and those at the ends of lists that mean the same whatever places are known. Neither needs a look.
 */

import {
  effectCode,
  isOnMembers,
  isPop,
  isPush,
  type RecordedEffect,
} from '../redis-commands/effect-code.js';
import type { Deadlines } from '../local-writes/deadlines.js';
import type { PlacedKey } from '../redis-commands/placed-key.js';
import type { LocalEntries } from '../local-writes/local-entries.js';
import type { ListMemory } from './list-memory.js';
import type { Range } from '../local-writes/range.js';
import { nameOf } from '../protocol/payload.js';
import type { Unseen } from '../local-writes/unseen.js';

export interface FreeRunsOptions {
  readonly unseen: Unseen;
  readonly memory: ListMemory;
  readonly deadlines: Deadlines;
  readonly entries: Pick<LocalEntries, 'keptFrom'>;
}

export class FreeRuns {
  readonly #unseen: Unseen;
  readonly #memory: ListMemory;
  readonly #deadlines: Deadlines;
  readonly #entries: Pick<LocalEntries, 'keptFrom'>;

  constructor({ unseen, memory, deadlines, entries }: FreeRunsOptions) {
    this.#entries = entries;
    this.#unseen = unseen;
    this.#memory = memory;
    this.#deadlines = deadlines;
  }

  /** Whether a command with this effect runs as it is, whatever local writes of its key in a range its sender had not seen. */
  isFree(key: PlacedKey, effect: RecordedEffect, range: Range): boolean {
    if (!this.#unseen.commutes(key, effect, range)) return false;
    if (effect === 'entry-trim' && this.#unseen.newestOn(key, range) > 0)
      return this.#entries.keptFrom(key, range.seen) !== undefined;
    const code = effectCode(effect);
    const { low, high } = this.#unseen.hashOf(key);
    // A removal of the last member removes the deadline.
    if (isOnMembers(code)) return typeof this.#deadlines.of(low, high) !== 'number';
    if (!isPush(code) && !isPop(code)) return true;
    // A pop that empties a list removes the deadline.
    if (typeof this.#deadlines.of(low, high) === 'number') return false;
    const known = this.#memory.get(nameOf(key), range.seen);
    // Places that are remembered have to be kept up.
    if (isPush(code)) return known === undefined || known.places === undefined;
    // Behind a local push that was gone past, an end is another one here.
    return known === undefined && this.#unseen.oldestOn(key, range) > this.#memory.doubtedThrough;
  }
}
