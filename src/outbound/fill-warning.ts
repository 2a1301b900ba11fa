import type { Logger } from '../log/log.js';

/** Shares of its bound at which the log warns of the change list. */
const WARN_AT = [0.5, 0.8];
/** How often at the most it does, for the bound moves with the server's memory. */
const WARN_MS = 10_000;

/** Warns when the change list has reached a further share of its bound; once for each, until it is below again. */
export class FillWarning {
  readonly #log: Logger;
  #warned = 0;
  #warnedAt = -Infinity;

  constructor(log: Logger) {
    this.#log = log;
  }

  /** The list has `bytes` and may have `maxBytes`. */
  look(bytes: number, maxBytes: number): void {
    const level = WARN_AT.filter((share) => bytes >= share * maxBytes).length;
    if (level > this.#warned) {
      const now = performance.now();
      // It came down and is up again: said later, if it still is.
      if (this.#warned === 0 && now - this.#warnedAt < WARN_MS) return;
      this.#warnedAt = now;
      this.#log.warn({ bytes, maxBytes }, 'the change list fills up: the peer does not take the changes');
    }
    this.#warned = level;
  }
}
