import { setTimeout as sleep } from 'node:timers/promises';

interface Amount {
  readonly keys: number;
  readonly bytes: number;
}

/** Holds work to so many keys and bytes a second. What was done is paid for afterwards, so one large key passes. */
export class Pace {
  readonly #limits: Amount;
  readonly #now: () => number;
  /** When what was taken is paid for, in ms. */
  #paidAt = 0;

  /** @param limits a second; 0 for none */
  constructor(limits: Amount, now: () => number = performance.now.bind(performance)) {
    this.#limits = limits;
    this.#now = now;
  }

  /** Work was done, or is about to be. */
  spend({ keys, bytes }: Amount): void {
    const seconds = Math.max(cost(keys, this.#limits.keys), cost(bytes, this.#limits.bytes));
    this.#paidAt = Math.max(this.#paidAt, this.#now() - BURST_MS) + seconds * 1000;
  }

  /** How long it takes until the next work may begin, in ms; 0: it may. */
  get waitMs(): number {
    return Math.max(0, this.#paidAt - this.#now());
  }

  /** Resolves when the next work may begin. */
  async take(amount: Amount, signal: AbortSignal): Promise<void> {
    this.spend(amount);
    const { waitMs } = this;
    if (waitMs > MIN_WAIT_MS) await sleep(waitMs, undefined, { signal });
  }
}

/** Idle time that can be made up for. */
export const BURST_MS = 50;
const MIN_WAIT_MS = 2;

function cost(amount: number, limit: number): number {
  return limit === 0 ? 0 : amount / limit;
}
