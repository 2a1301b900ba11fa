/**
 * For keys with many local writes: when each kind of write was made last. A batch asks a dozen questions of each of its keys, and of a
 * key that both sites write all the time tens of thousands of writes may be unseen. So only what is new is walked through.
 */

import { BoundedMap } from '../async/bounded-map.js';
import { EFFECT_CODES } from '../redis-commands/effect-code.js';
import type { KeyHash } from '../protocol/key-hash.js';
import type { Window } from './window.js';

/** Keys kept. One that is forgotten is walked through once more. */
const KEPT_KEYS = 1024;

interface Kept {
  /** Running number in the window, and sequence, of the newest entry that is in it. */
  number: number;
  sequence: number;
  readonly newest: Float64Array;
}

export class NewestEffects {
  readonly #window: Window;
  readonly #kept = new BoundedMap<string, Kept>(KEPT_KEYS);

  constructor(window: Window) {
    this.#window = window;
  }

  /**
   * By the code of an effect the last local sequence, up to `decided`, at which it was on a key; 0 where there is none. Valid until the
   * next question.
   */
  of({ low, high }: KeyHash, decided: number): Float64Array {
    const window = this.#window;
    const name = `${low},${high}`;
    const before = this.#kept.get(name);
    // Decided anew with less than before: nothing can be taken back, so all is looked through.
    const kept =
      before && before.sequence <= decided
        ? before
        : { number: -1, sequence: 0, newest: new Float64Array(EFFECT_CODES) };
    const { newest } = kept;
    let [number, last] = [-1, 0];
    for (let entry = window.newest(low, high); entry > kept.number; entry = window.older(entry)) {
      const sequence = window.sequenceOf(entry);
      if (sequence > decided) continue;
      if (number < 0) [number, last] = [entry, sequence];
      const effect = window.effectOf(entry);
      if (newest[effect]! < sequence) newest[effect] = sequence;
    }
    if (number >= 0) [kept.number, kept.sequence] = [number, last];
    this.#kept.set(name, kept);
    return newest;
  }
}
