/**
 * An abort of one's own that also comes when another does. Whoever makes one aborts it in the end: that lets go of the others.
 * (`AbortSignal.any` does not: on Node.js 20 a signal that lives for long keeps an entry for each.)
 */
export class LinkedAbort {
  readonly #own = new AbortController();
  readonly #parents: readonly AbortSignal[];
  readonly #onParent = (): void => this.abort(this.#parents.find(({ aborted }) => aborted)?.reason);

  constructor(...parents: readonly AbortSignal[]) {
    this.#parents = parents;
    if (parents.some(({ aborted }) => aborted)) this.#onParent();
    else for (const parent of parents) parent.addEventListener('abort', this.#onParent);
  }

  get signal(): AbortSignal {
    return this.#own.signal;
  }

  abort(reason?: unknown): void {
    for (const parent of this.#parents) parent.removeEventListener('abort', this.#onParent);
    this.#own.abort(reason);
  }
}
