/**
 * Finds the local writes that slipped in between a decision and its application. The applied marker says up to which local
 * sequence was decided; what stands in the stream between that and the marker, on a key of the applied batch, is late. Both
 * are in the stream, so nothing is missed, whatever the timing.
 */

import { lastSequence, type Batch } from '../change/batch.js';
import { CommandNames } from '../change/command-names.js';
import type { KeyHash } from '../change/key-hash.js';
import { forEachKey } from './payload.js';
import type { Window } from './window.js';

export class LateWrites {
  readonly #window: Window;
  readonly #names = new CommandNames();
  /** Decided batches whose marker has not come round, by last sequence. */
  readonly #waiting = new Map<number, Batch>();
  #count = 0;

  constructor(window: Window) {
    this.#window = window;
  }

  /** Late writes found since the process began. */
  get count(): number {
    return this.#count;
  }

  /** A batch was decided and is about to be applied. */
  decided(batch: Batch): void {
    this.#waiting.set(lastSequence(batch), batch);
  }

  /** The marker of the batch has come round: how many of its keys were written here after its decision. */
  applied(sequence: number, decided: number): number {
    const batch = this.#waiting.get(sequence);
    this.#waiting.delete(sequence);
    const from = this.#window.firstAbove(decided);
    if (!batch || from === this.#window.head) return 0;
    let late = 0;
    const each = (hash: KeyHash): void => {
      if (this.#window.newest(hash.low, hash.high) >= from) late++;
    };
    forEachKey({ batch, names: this.#names, each });
    this.#count += late;
    return late;
  }
}
