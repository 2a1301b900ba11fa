/** An abort of one's own that also comes when another does. Whoever makes one aborts it in the end: that lets go of the other. */
export class LinkedAbort {
  readonly #own = new AbortController();
  readonly #parent: AbortSignal;
  readonly #onParent = (): void => this.abort(this.#parent.reason);

  constructor(parent: AbortSignal) {
    this.#parent = parent;
    if (parent.aborted) this.#own.abort(parent.reason);
    else parent.addEventListener('abort', this.#onParent);
  }

  get signal(): AbortSignal {
    return this.#own.signal;
  }

  abort(reason?: unknown): void {
    this.#parent.removeEventListener('abort', this.#onParent);
    this.#own.abort(reason);
  }
}
