/**
 * Contended keys: keys with so many local writes that a look at them is outdated before the plan runs. On such a key only commands
 * run that cannot lose an unknown local write, and a `SET` that meets nothing but `SET`s (`src/local-writes/unseen-sets.ts`). The peer
 * is asked for the state, again and again until the key can be looked at.
 */

import { BoundedMap } from '../async/bounded-map.js';
import { LACK, type Lack } from '../protocol/messages/state-request.js';

/** How often a batch is decided anew because one of its keys was written meanwhile. Then the key is contended. */
const MAX_LOOKS = 8;
/** The same for a key that is contended already, or is being written fast: it holds up all other keys. */
const MAX_CONTENDED_LOOKS = 1;
/** Keys remembered. One that is forgotten is looked at as any other. */
const MAX_CONTENDED_KEYS = 10_000;

export class ContendedKeys {
  readonly #contended = new BoundedMap<string, true>(MAX_CONTENDED_KEYS);
  /** What the local values may lack until a state of the peer's is applied. */
  readonly #lacks = new BoundedMap<string, Lack>(MAX_CONTENDED_KEYS);

  has(name: string): boolean {
    return this.#contended.has(name);
  }

  /** Whether it is not to be looked at again. @param looks times in vain @param isFast as things are, it would be in vain again */
  isGivenUp(name: string, looks: number, isFast: boolean): boolean {
    if (!this.#contended.has(name)) return looks >= (isFast ? MAX_CONTENDED_LOOKS : MAX_LOOKS);
    return isFast || looks >= MAX_CONTENDED_LOOKS;
  }

  heated(name: string): void {
    this.#contended.set(name, true);
  }

  /** A decision on the key was carried out before it was written again. */
  cooled(name: string): void {
    this.#contended.delete(name);
  }

  lackOf(name: string): Lack {
    return this.#lacks.get(name) ?? LACK.nothing;
  }

  lacks(name: string, lack: Lack): void {
    if (lack <= this.lackOf(name)) return;
    this.#lacks.set(name, lack);
  }

  /** The value of a key is the peer's now, with local writes on it. */
  settled(name: string): void {
    this.#lacks.delete(name);
  }
}
