/**
 * Local `SET`s that a `SET` of the peer's meets: the later one stays, and when a local one was made is known without its command. Two
 * applications that write the same million keys meet so in every third command, and to read as many local changes from the change list
 * took most of a site's time.
 *
 * Where the local one stays, nothing need run here: the value is there, unless something of the peer's was built on it meanwhile. So it
 * is remembered on which keys that may be so.
 */

import type { Batch } from '../protocol/batch.js';
import type { PlacedKey } from '../redis-commands/placed-key.js';
import type { Range } from './range.js';
import { nameOf } from '../protocol/payload.js';
import type { Unseen } from './unseen.js';

/** A local `SET`, or another command that puts a value in place of all that was at a key. */
export interface UnseenSet {
  readonly sequence: number;
  readonly timestamp: number;
}

export interface UnseenSetsOptions {
  readonly unseen: Unseen;
  /** When a local change was made; undefined when it is not in the change list. */
  readonly timestampOf: (sequence: number) => number | undefined;
}

/** Keys remembered. Beyond it, and for what was before this process, local writes are looked up one by one. */
const MAX_BUILT_ON = 65_536;

export class UnseenSets {
  readonly #options: UnseenSetsOptions;
  /** Of local writes up to here it is not known whether anything was built on them. */
  #unknownThrough = 0;
  /** By database and name: the last local write when something of the peer's was put on local ones. */
  readonly #builtOn = new Map<string, number>();
  /** The newest batch there was. */
  #newest: Pick<Batch, 'epoch' | 'first' | 'timestamp' | 'seen'> | undefined;

  constructor(options: UnseenSetsOptions) {
    this.#options = options;
  }

  /**
   * A batch is to be decided, perhaps again. Both its time and what its sender has seen are later than those of the one before, or
   * nothing that was found out holds any more: a peer that has forgotten something may give a value a lower rank than an earlier one.
   * @param captured the last local write that capture has met
   */
  begin({ epoch, first, timestamp, seen }: Batch, captured: number): void {
    const before = this.#newest;
    if (before && before.epoch === epoch && first <= before.first) return;
    if (!before || before.epoch !== epoch || timestamp < before.timestamp || seen < before.seen)
      this.builtOnAll(captured);
    this.#newest = { epoch, first, timestamp, seen };
  }

  /** The local `SET` that is all a `SET` of the peer's meets on a key, and whose value is there if none of theirs was later. */
  find(key: PlacedKey, range: Range): UnseenSet | undefined {
    const sequence = this.#options.unseen.soleSetOn(key, range);
    if (sequence <= this.#unknownThrough || sequence <= (this.#builtOn.get(nameOf(key)) ?? 0))
      return undefined;
    const timestamp = this.#options.timestampOf(sequence);
    return timestamp === undefined ? undefined : { sequence, timestamp };
  }

  /** Something of the peer's is put on what was written on a key in a range. */
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
