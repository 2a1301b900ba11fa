import { setTimeout as sleep } from 'node:timers/promises';

/** Holds work to so many keys and bytes a second. What was done is paid for afterwards, so one large key passes. */
export class Pace {
  readonly #limits: { readonly keys: number; readonly bytes: number };
  readonly #now: () => number;
  /** When what was taken is paid for, in ms. */
  #paidAt = 0;

  /** @param limits a second; 0 for none */
  constructor(
    limits: { keys: number; bytes: number },
    now: () => number = performance.now.bind(performance),
  ) {
    this.#limits = limits;
    this.#now = now;
  }

  /** Resolves when the next work may begin. */
  async take({ keys, bytes }: { keys: number; bytes: number }, signal: AbortSignal): Promise<void> {
    const seconds = Math.max(cost(keys, this.#limits.keys), cost(bytes, this.#limits.bytes));
    const now = this.#now();
    this.#paidAt = Math.max(this.#paidAt, now - BURST_MS) + seconds * 1000;
    const waitMs = this.#paidAt - now;
    if (waitMs > MIN_WAIT_MS) await sleep(waitMs, undefined, { signal });
  }
}

/** Idle time that can be made up for. */
const BURST_MS = 50;
const MIN_WAIT_MS = 2;

function cost(amount: number, limit: number): number {
  return limit === 0 ? 0 : amount / limit;
}
