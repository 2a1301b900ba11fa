/** Long enough to hold a quick answer also where many are slow. */
const SPAN_MS = 30_000;

/**
 * How long the way to the peer's server and back is: the shortest time of an answer in the last half minute to a minute. An answer that
 * waited, here or there, says nothing of the way.
 */
export class RoundTrip {
  readonly #now: () => number;
  #shortest = Infinity;
  #before = Infinity;
  #since: number;

  /** @param now in milliseconds, never back */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
    this.#since = now();
  }

  /** In ms; undefined before the first answer. When nothing is heard any more, what was known stays. */
  get ms(): number | undefined {
    const ms = Math.min(this.#shortest, this.#before);
    return ms === Infinity ? undefined : ms;
  }

  /** An answer took this long. */
  took(ms: number): void {
    const now = this.#now();
    if (now - this.#since >= SPAN_MS) {
      this.#before = this.#shortest;
      this.#shortest = Infinity;
      this.#since = now;
    }
    this.#shortest = Math.min(this.#shortest, ms);
  }

  /** Asks, gives the answer, and takes its time. Asking counts: what it sends may be on the way before it is done. */
  async of<T>(ask: () => Promise<T>): Promise<T> {
    const since = this.#now();
    const answer = await ask();
    this.took(this.#now() - since);
    return answer;
  }
}
