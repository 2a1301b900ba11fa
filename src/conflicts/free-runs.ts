/**
 * Which commands run as they are although own writes stand on their key that their sender had not seen: those that come to the same
 * in either order, and at the ends of lists those that mean the same whatever places are known. Nothing is looked at for them.
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
    // Who takes the last member takes the deadline along.
    if (isOnMembers(code)) return typeof this.#deadlines.of(low, high) !== 'number';
    if (!isPush(code) && !isPop(code)) return true;
    // What empties a list takes its deadline along.
    if (typeof this.#deadlines.of(low, high) === 'number') return false;
    const known = this.#memory.get(nameOf(key), range.seen);
    // Places that are remembered have to be kept up.
    if (isPush(code)) return known === undefined || known.places === undefined;
    // Behind an own push that was gone past, an end is another one here.
    return known === undefined && this.#unseen.oldestOn(key, range) > this.#memory.doubtedThrough;
  }
}
