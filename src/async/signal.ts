/** Something that happens again and again and that loops wait for. Raised while nobody waits, it is not forgotten. */
export class Signal {
  #raised = false;
  /** A few at most. A `Set` would make a new table with nearly each that it lets go of. */
  readonly #waiting: (() => void)[] = [];

  raise(): void {
    this.#raised = true;
    for (const wake of this.#waiting) wake();
  }

  /** Waits until it is raised, or `timeoutMs` have passed. @throws the signal's reason when it aborts */
  async wait(signal: AbortSignal, timeoutMs?: number): Promise<void> {
    signal.throwIfAborted();
    if (!this.#raised) {
      let timer: NodeJS.Timeout | undefined;
      let wake = (): void => {};
      await new Promise<void>((resolve) => {
        wake = resolve;
        this.#waiting.push(wake);
        signal.addEventListener('abort', wake, { once: true });
        if (timeoutMs !== undefined) timer = setTimeout(resolve, timeoutMs);
      });
      clearTimeout(timer);
      signal.removeEventListener('abort', wake);
      this.#waiting.splice(this.#waiting.indexOf(wake), 1);
      signal.throwIfAborted();
    }
    this.#raised = false;
  }
}
