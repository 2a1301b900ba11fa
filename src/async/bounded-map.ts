/** A map of at most `limit` entries. When one more is set, the entry that was set longest ago goes. */
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

  get size(): number {
    return this.#entries.size;
  }

  /** The oldest first. */
  values(): IterableIterator<Value> {
    return this.#entries.values();
  }

  /** Sets an entry, the newest from now on. @returns the value that went for it */
  set(key: Key, value: Value): Value | undefined {
    this.#entries.delete(key);
    this.#entries.set(key, value);
    if (this.#entries.size <= this.#limit) return undefined;
    const [oldest, gone] = this.#entries.entries().next().value!;
    this.#entries.delete(oldest);
    return gone;
  }

  delete(key: Key): void {
    this.#entries.delete(key);
  }

  clear(): void {
    this.#entries.clear();
  }
}
