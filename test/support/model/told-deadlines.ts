import type { Argv, Store } from './redis/store.js';

/** Keys of which the other site is told, at the end of a run, which deadline they have then. */
export class ToldDeadlines {
  readonly #store: Store;
  readonly #keys = new Set<string>();

  constructor(store: Store) {
    this.#store = store;
  }

  add(key: string): void {
    this.#keys.add(key);
  }

  /** The commands that tell it, as those of a client. */
  take(): Argv[] {
    const told = [...this.#keys].flatMap((key): Argv[] => {
      const at = this.#store.get(key)?.expiresAt;
      return at === undefined ? [] : [['PEXPIREAT', key, String(at)]];
    });
    this.#keys.clear();
    return told;
  }
}
