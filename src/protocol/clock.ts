/**
 * A hybrid logical clock: a timestamp is one safe integer, wall milliseconds × 1024 + counter. It never goes back, and it
 * is always past every timestamp it was shown, so a write captured after a remote change was received is also later in time.
 * Source: Kulkarni et al., "Logical Physical Clocks" (2014). A full counter carries into the milliseconds.
 */

const TICKS_PER_MS = 1024;
/** How far ahead of this machine's clock another one is followed. */
const MAX_AHEAD_MS = 86_400_000;

export class HybridClock {
  #last: number;
  readonly #now: () => number;

  /** @param last the highest timestamp this site is known to have used or received */
  constructor(last = 0, now: () => number = Date.now) {
    this.#now = now;
    this.#last = Number.isSafeInteger(last) ? Math.min(last, this.#farthest()) : 0;
  }

  /** A timestamp later than all that were given out or observed. */
  tick(): number {
    this.#last = Math.max(this.#last + 1, this.#now() * TICKS_PER_MS);
    return this.#last;
  }

  /**
   * Moves past a timestamp made elsewhere. False, and nothing moves, when it is no timestamp or lies more than a day ahead of
   * this machine's clock: following it would leave this site's clock there for ever.
   */
  observe(timestamp: number): boolean {
    if (!Number.isSafeInteger(timestamp) || timestamp > this.#farthest()) return false;
    if (timestamp > this.#last) this.#last = timestamp;
    return true;
  }

  #farthest(): number {
    return (this.#now() + MAX_AHEAD_MS) * TICKS_PER_MS;
  }

  get last(): number {
    return this.#last;
  }
}

/** The wall-clock part of a timestamp, in milliseconds since 1970. */
export function wallMs(timestamp: number): number {
  return Math.floor(timestamp / TICKS_PER_MS);
}

/** How long ago, in ms, a change was made that has waited since then; 0 when none waits. @param now in ms since 1970 */
export function lagMs(oldestTimestamp: number | undefined, now: number): number {
  return oldestTimestamp === undefined ? 0 : Math.max(0, now - wallMs(oldestTimestamp));
}
