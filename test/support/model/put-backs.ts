import type { Store } from './redis/store.js';
import type { Requests } from './requests.js';
import { type Unit, unitOn } from './rules/unit.js';
import { type UserWrite, type Write, isUser, writesKey } from './rules/write.js';

/**
 * Own `SET`s that an earlier one of the other site's took the place of, since they slipped in between its decision and its application.
 * They stand at their keys again before the next decision.
 */
export class PutBacks {
  readonly #keys = new Set<string>();
  readonly #store: Store;
  readonly #requests: Requests;
  readonly #own: () => readonly Write[];

  /** @param own writes that the other site is not known to have seen */
  constructor(store: Store, requests: Requests, own: () => readonly Write[]) {
    this.#store = store;
    this.#requests = requests;
    this.#own = own;
  }

  get isEmpty(): boolean {
    return this.#keys.size === 0;
  }

  /** Whether nothing but `SET`s met on a key: then the own one is to be put back. */
  take(write: Write, key: string, late: readonly Write[]): boolean {
    if (![write, ...late].every((one) => isSetOn(one, key))) return false;
    this.#keys.add(key);
    return true;
  }

  run(): void {
    for (const key of this.#keys) {
      const last = this.#own().findLast((own): own is UserWrite => isUser(own) && writesKey(own, key));
      // What the other site has seen is in no list any more.
      if (last) this.#store.run(unitOn(last.unit, key).argv);
      else this.#requests.need(key, 'own');
    }
    this.#keys.clear();
  }

  /** What is written here on a value that is to be replaced means another one at the other site: it is asked first. */
  writing(units: readonly Unit[]): void {
    for (const unit of units) {
      for (const key of [...unit.writes, ...unit.reads]) {
        const { role, argv } = unitOn(unit, key);
        if (role === 'key-head' && argv[0] !== 'EXPIRED') this.#keys.delete(key);
        else this.doubt(key);
      }
    }
  }

  /** The key is asked for instead. */
  doubt(key: string): void {
    if (this.#keys.delete(key)) this.#requests.need(key, 'own');
  }

  /** What is asked for anyway need not be put back. */
  leaveAsked(): void {
    for (const key of this.#keys) if (this.#requests.has(key)) this.#keys.delete(key);
  }
}

/** Whether a write is a `SET` of a key as a whole. */
function isSetOn(write: Write, key: string): boolean {
  if (write.kind !== 'user') return false;
  const { role, argv, removal } = unitOn(write.unit, key);
  return role === 'key-head' && argv[0] === 'SET' && !removal;
}
