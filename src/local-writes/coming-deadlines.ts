/**
 * Deadlines that the peer's changes give to keys, from the plan of a batch until the batch comes round in the stream. Until then the
 * stream says nothing of them, and the next batches are planned already. A deadline for a key that is not there never comes round, so
 * none is remembered for longer. Two keys with the same hash cost a look.
 */

import type { KeyHash } from '../protocol/key-hash.js';

interface Coming {
  /** In ms since 1970. */
  readonly at: number;
  /** Last sequence of the batch that gives it. */
  readonly batch: number;
}

export class ComingDeadlines {
  /** No more than the batches hold that have been decided and have not come round. */
  readonly #given = new Map<number, Coming>();

  get isEmpty(): boolean {
    return this.#given.size === 0;
  }

  /** A batch, told by its last sequence, gives a key a deadline. */
  give(hash: KeyHash, at: number, batch: number): void {
    this.#given.set(placeOf(hash), { at, batch });
  }

  /** The last deadline that a key is given, in ms since 1970. */
  of(hash: KeyHash): number | undefined {
    return this.#given.get(placeOf(hash))?.at;
  }

  /** A batch is decided again. */
  forget(batch: number): void {
    for (const [place, given] of this.#given) if (given.batch === batch) this.#given.delete(place);
  }

  /** All that was applied before a batch has come round. */
  cameRoundBefore(batch: number): void {
    for (const [place, given] of this.#given) if (given.batch < batch) this.#given.delete(place);
  }
}

function placeOf({ low, high }: KeyHash): number {
  return high * 2 ** 32 + low;
}
