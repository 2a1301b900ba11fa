/** A map of at most so many entries: of more, the one that was set longest ago goes. */
export class BoundedMap<Key, Value> {
  readonly #limit: number;
  readonly #entries = new Map<Key, Value>();

  constructor(limit: number) {
    this.#limit = limit;
  }

  get(key: Key): Value | undefined {
    return this.#entries.get(key);
  }

  has(key: Key): boolean {
    return this.#entries.has(key);
  }

  /** Sets an entry, the newest from now on. @returns whether another one went for it */
  set(key: Key, value: Value): boolean {
    this.#entries.delete(key);
    this.#entries.set(key, value);
    if (this.#entries.size <= this.#limit) return false;
    this.#entries.delete(this.#entries.keys().next().value!);
    return true;
  }

  delete(key: Key): void {
    this.#entries.delete(key);
  }
}
