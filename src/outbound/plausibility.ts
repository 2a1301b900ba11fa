/** Believes the peer's claims only as far as they can be true. */

import type { HybridClock } from '../protocol/clock.js';
import type { Logger } from '../log/log.js';
import type { ChangeList } from './change-list.js';

export interface PlausibilityOptions {
  readonly clock: HybridClock;
  readonly list: Pick<ChangeList, 'appendedThrough'>;
  readonly log: Logger;
}

/** How often a claim that cannot be true is logged at the most: each heartbeat may bring one. */
const TELL_MS = 10_000;

export class Plausibility {
  readonly #options: PlausibilityOptions;
  readonly #toldAt = { clock: -Infinity, seen: -Infinity };

  constructor(options: PlausibilityOptions) {
    this.#options = options;
  }

  /** Moves the clock past a timestamp of the peer's. */
  observe(timestamp: number): void {
    if (this.#options.clock.observe(timestamp) || !this.#isToTell('clock')) return;
    this.#options.log.error(
      { timestamp },
      'the clock of the peer is more than a day ahead: it is not followed',
    );
  }

  /** Whether the peer may have seen so much: what it cannot have seen must not be taken off the change list. Never for NaN. */
  isCredible(seen: number): boolean {
    const { appendedThrough } = this.#options.list;
    if (seen <= appendedThrough) return true;
    if (this.#isToTell('seen'))
      this.#options.log.error(
        { seen, appendedThrough },
        'the peer acknowledges changes that were never made here: the acknowledgement is ignored',
      );
    return false;
  }

  #isToTell(claim: 'clock' | 'seen'): boolean {
    const nowMs = performance.now();
    if (nowMs - this.#toldAt[claim] < TELL_MS) return false;
    this.#toldAt[claim] = nowMs;
    return true;
  }
}
