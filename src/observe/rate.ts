/** Changes per second, from a counter that is looked at now and then. */
export class Rate {
  #count = 0;
  #at = 0;
  #perSecond = 0;

  /** Takes the counter's present value; looks closer together than half a second give the last rate. */
  sample(count: number, now: number): number {
    const elapsedMs = now - this.#at;
    // A clock that was put back begins the count anew.
    if (elapsedMs >= 0 && elapsedMs < 500) return this.#perSecond;
    this.#perSecond =
      this.#at === 0 || elapsedMs < 0
        ? 0
        : Math.max(0, Math.round(((count - this.#count) * 1000) / elapsedMs));
    this.#count = count;
    this.#at = now;
    return this.#perSecond;
  }
}
