/** Something that happens again and again and that one loop waits for. Raised while nobody waits, it is not forgotten. */
export class Signal {
  #raised = false;
  #wake: (() => void) | undefined;

  raise(): void {
    this.#raised = true;
    this.#wake?.();
  }

  /** Waits until it is raised, or `timeoutMs` have passed. @throws the signal's reason when it aborts */
  async wait(signal: AbortSignal, timeoutMs?: number): Promise<void> {
    signal.throwIfAborted();
    if (!this.#raised) {
      let timer: NodeJS.Timeout | undefined;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
        signal.addEventListener('abort', this.#wake, { once: true });
        if (timeoutMs !== undefined) timer = setTimeout(resolve, timeoutMs);
      });
      clearTimeout(timer);
      signal.removeEventListener('abort', this.#wake!);
      this.#wake = undefined;
      signal.throwIfAborted();
    }
    this.#raised = false;
  }
}
