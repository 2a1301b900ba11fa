/** Waits for a text that was written to the local server to come round in its replication stream. */
export class Barriers {
  readonly #waiting = new Map<string, () => void>();

  /** @throws the signal's reason when it aborts */
  async wait(text: string, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    let abort = (): void => {};
    try {
      await new Promise<void>((resolve, reject) => {
        abort = () => reject(signal.reason as Error);
        this.#waiting.set(text, resolve);
        signal.addEventListener('abort', abort, { once: true });
      });
    } finally {
      this.#waiting.delete(text);
      signal.removeEventListener('abort', abort);
    }
  }

  passed(text: string): void {
    this.#waiting.get(text)?.();
  }
}
