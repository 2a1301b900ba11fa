/** Questions about the local writes on single keys that the sender of a batch had not seen, answered by the window alone. */

import {
  commutingWith,
  effectCode,
  isPush,
  passes,
  type RecordedEffect,
} from '../redis-commands/effect-code.js';
import { KeyHash } from '../protocol/key-hash.js';
import type { PlacedKey } from '../redis-commands/placed-key.js';
import { LASTING, REPLACING } from './unseen-on-key.js';
import { NewestEffects } from './newest-effects.js';
import type { Range } from './range.js';
import type { Window } from './window.js';

const REQUEST = effectCode('need');
const END = effectCode('expired');

const TRIM = effectCode('entry-trim');
/** Writes on a key that are walked through for each question; with more it is noted when each kind was made last. */
const MANY_ON_KEY = 16;

export class Unseen {
  readonly #window: Window;
  readonly #hash = new KeyHash();
  readonly #effects: NewestEffects;
  readonly #isSenderFirst: boolean;

  /** @param options whether the other site has the smaller name */
  constructor(window: Window, { isSenderFirst }: { isSenderFirst: boolean }) {
    this.#window = window;
    this.#effects = new NewestEffects(window);
    this.#isSenderFirst = isSenderFirst;
  }

  /** The newest local sequence on a key in a range; 0 when there is none. */
  newestOn(key: PlacedKey, range: Range): number {
    return this.newestAt(this.hashOf(key), range);
  }

  /** The same for a key by its hash. */
  newestAt(hash: KeyHash, { seen, decided }: Range): number {
    let entry = this.#window.newest(hash.low, hash.high);
    while (entry >= 0 && this.#window.sequenceOf(entry) > decided) entry = this.#window.older(entry);
    const sequence = Math.max(
      entry < 0 ? 0 : this.#window.sequenceOf(entry),
      this.#window.flushesIn(seen, decided).at(-1) ?? 0,
    );
    return sequence > seen ? sequence : 0;
  }

  /**
   * The newest local write on a key in a range, if that replaced the whole value and nothing before it counts: no list, no state. And
   * whether a request for the key stands in the range: beside one there need be no write, which is told as 0. Undefined otherwise.
   */
  soleSetOn(
    key: PlacedKey,
    { seen, decided }: Range,
  ): { readonly sequence: number; readonly isAsking: boolean } | undefined {
    if (this.#window.flushesIn(seen, decided).length > 0) return undefined;
    const { low, high } = this.hashOf(key);
    let last = 0;
    let isAsking = false;
    let walked = 0;
    for (let entry = this.#window.newest(low, high); entry >= 0; entry = this.#window.older(entry)) {
      const sequence = this.#window.sequenceOf(entry);
      if (sequence <= seen) break;
      if (sequence > decided) continue;
      if (++walked > MANY_ON_KEY) return this.#lastSetOn({ seen, decided });
      const effect = this.#window.effectOf(entry);
      if (effect === REQUEST) isAsking = true;
      else if (LASTING.has(effect) || (last === 0 && effect !== REPLACING)) return undefined;
      else last ||= sequence;
    }
    return last === 0 && !isAsking ? undefined : { sequence: last, isAsking };
  }

  /** The same for the key that was hashed last, which has many local writes. */
  #lastSetOn({ seen, decided }: Range): ReturnType<Unseen['soleSetOn']> {
    const newest = this.#effects.of(this.#hash, decided);
    let last = 0;
    let isSet = true;
    for (const [effect, sequence] of newest.entries()) {
      if (sequence <= seen || effect === REQUEST) continue;
      if (LASTING.has(effect)) return undefined;
      // A transaction may have written the key twice.
      if (sequence >= last) isSet = effect === REPLACING && sequence > last;
      last = Math.max(last, sequence);
    }
    if (!isSet) return undefined;
    const isAsking = newest[REQUEST]! > seen;
    return last === 0 && !isAsking ? undefined : { sequence: last, isAsking };
  }

  /** How many local writes on a key stand in a range, or `most` where there are as many. */
  count(key: PlacedKey, { seen, decided }: Range, most: number): number {
    const { low, high } = this.hashOf(key);
    let count = 0;
    for (let entry = this.#window.newest(low, high); entry >= 0; entry = this.#window.older(entry)) {
      const sequence = this.#window.sequenceOf(entry);
      if (sequence <= seen || count >= most) break;
      if (sequence <= decided) count++;
    }
    return count;
  }

  /** Whether all local changes of a key in a range commute with this effect. */
  commutes(key: PlacedKey, effect: RecordedEffect, range: Range): boolean {
    const together = commutingWith(effectCode(effect), this.#isSenderFirst);
    if (this.#window.flushesIn(range.seen, range.decided).length > 0) return false;
    return together !== undefined && !this.#has(key, range, (code) => !together.has(code));
  }

  /** Whether entries were taken off the ends of a stream. */
  isTrimmed(key: PlacedKey, range: Range): boolean {
    return this.#has(key, range, (code) => code === TRIM);
  }

  /** Whether a push goes past local writes at its end. */
  isPast(key: PlacedKey, effect: RecordedEffect, range: Range): boolean {
    const code = effectCode(effect);
    return isPush(code) && this.#has(key, range, (own) => passes(code, own));
  }

  /** The oldest local sequence on a key in a range; infinity when there is none. */
  oldestOn(key: PlacedKey, { seen, decided }: Range): number {
    const { low, high } = this.hashOf(key);
    let oldest = Infinity;
    for (let entry = this.#window.newest(low, high); entry >= 0; entry = this.#window.older(entry)) {
      const sequence = this.#window.sequenceOf(entry);
      if (sequence <= seen) break;
      if (sequence <= decided) oldest = sequence;
    }
    return oldest;
  }

  /** Whether a local request for a key stands in a range. */
  isAsking(key: PlacedKey, range: Range): boolean {
    return this.#has(key, range, (code) => code === REQUEST);
  }

  /** Whether the end of a life of a key stands in a range. */
  hasEnded(key: PlacedKey, range: Range): boolean {
    return this.#has(key, range, (code) => code === END);
  }

  /** The hash of a key, valid until the next question. */
  hashOf({ database, key }: PlacedKey): KeyHash {
    this.#hash.of(database, key, 0, key.length);
    return this.#hash;
  }

  /** @param isWanted answers the same for the same effect */
  #has(key: PlacedKey, { seen, decided }: Range, isWanted: (effect: number) => boolean): boolean {
    const hash = this.hashOf(key);
    let walked = 0;
    let entry = this.#window.newest(hash.low, hash.high);
    for (; entry >= 0; entry = this.#window.older(entry)) {
      const sequence = this.#window.sequenceOf(entry);
      if (sequence <= seen) return false;
      if (sequence > decided) continue;
      if (++walked > MANY_ON_KEY)
        return this.#effects.of(hash, decided).some((newest, effect) => newest > seen && isWanted(effect));
      if (isWanted(this.#window.effectOf(entry))) return true;
    }
    return false;
  }
}
