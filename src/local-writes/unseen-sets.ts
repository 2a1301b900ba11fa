/**
 * Local `SET`s that a `SET` of the peer's meets: the later one stays. The index has the local `SET`'s timestamp, so its command need
 * not be read.
 *
 * Where the local one stays, nothing need run here. Its value is there, unless something of the peer's was built on it meanwhile. This
 * class remembers the keys of which that may be so. While the peer is asked for the key the value may be another one in any case: then
 * the local one is put there again.
 */

import type { Batch } from '../protocol/batch.js';
import type { PlacedKey } from '../redis-commands/placed-key.js';
import type { Range } from './range.js';
import { nameOf } from '../protocol/payload.js';
import type { Unseen } from './unseen.js';

/** A local `SET`, or another command that replaces all that was at a key. */
export interface UnseenSet {
  readonly sequence: number;
  readonly timestamp: number;
  /** Whether the peer is asked for the key: the value here may be another one than the local `SET` has left. */
  readonly isAsking: boolean;
}

export interface UnseenSetsOptions {
  readonly unseen: Unseen;
  /** When a local change was made; undefined when it is not in the change list. */
  readonly timestampOf: (sequence: number) => number | undefined;
}

/** Keys remembered. Beyond that, and for writes before this process, local writes are looked up one by one. */
const MAX_BUILT_ON = 65_536;

export class UnseenSets {
  readonly #options: UnseenSetsOptions;
  /** Up to this local write it is unknown whether anything was built on one. */
  #unknownThrough = 0;
  /** By database and name: the last local write at the time something of the peer's was built on local ones. */
  readonly #builtOn = new Map<string, number>();
  /** The newest batch there was. */
  #newest: Pick<Batch, 'epoch' | 'first' | 'timestamp' | 'seen'> | undefined;

  constructor(options: UnseenSetsOptions) {
    this.#options = options;
  }

  /**
   * A batch is to be planned, perhaps again. Its time and what its sender has seen normally rise from batch to batch. Otherwise the
   * peer has forgotten something, and may give a value a lower rank than an earlier one. Then nothing that was found out holds.
   * @param captured the last local write that capture has met
   */
  begin({ epoch, first, timestamp, seen }: Batch, captured: number): void {
    const before = this.#newest;
    if (before && before.epoch === epoch && first <= before.first) return;
    if (!before || before.epoch !== epoch || timestamp < before.timestamp || seen < before.seen)
      this.builtOnAll(captured);
    this.#newest = { epoch, first, timestamp, seen };
  }

  /**
   * The only local write that a `SET` of the peer's meets on a key, if it is a `SET`, and nothing of the peer's was built on it or the
   * key is asked for: then it is put there again, where it stays.
   */
  find(key: PlacedKey, range: Range): UnseenSet | undefined {
    const found = this.#options.unseen.soleSetOn(key, range);
    if (!found) return undefined;
    const { sequence, isAsking } = found;
    if (sequence === 0) return { sequence, timestamp: 0, isAsking };
    const isBuiltOn = sequence <= Math.max(this.#unknownThrough, this.#builtOn.get(nameOf(key)) ?? 0);
    if (isBuiltOn && !isAsking) return undefined;
    const timestamp = this.#options.timestampOf(sequence);
    return timestamp === undefined ? undefined : { sequence, timestamp, isAsking };
  }

  /** Something of the peer's is built on local writes on a key in a range. */
  builtOn(key: PlacedKey, { seen, decided }: Range): void {
    if (this.#builtOn.size >= MAX_BUILT_ON)
      for (const [name, upTo] of this.#builtOn) if (upTo <= seen) this.#builtOn.delete(name);
    if (this.#builtOn.size >= MAX_BUILT_ON) this.builtOnAll(decided);
    else this.#builtOn.set(nameOf(key), decided);
  }

  /** The same for any key. */
  builtOnAll(decided: number): void {
    this.#unknownThrough = Math.max(this.#unknownThrough, decided);
    this.#builtOn.clear();
  }
}
