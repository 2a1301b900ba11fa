/**
 * The late `SET`s of the transaction that is coming round, and what it does to keys whose local `SET` is still to be put back
 * (`overwritten-sets.ts`).
 */

import { isDerived, isSetMove } from '../protocol/command-kinds.js';
import { isFlush } from '../protocol/flushes.js';
import { KeyHash } from '../protocol/key-hash.js';
import { isSet, keysOf, nameOf, type PayloadCommand } from '../protocol/payload.js';
import { effectCode } from '../redis-commands/effect-code.js';
import type { PlacedKey } from '../redis-commands/placed-key.js';
import type { AskedKeys } from './asked-keys.js';
import { empty } from './empty.js';
import type { WrittenKey } from './late-options.js';
import type { OverwrittenSets } from './overwritten-sets.js';
import type { Window } from './window.js';

const SET = effectCode('set');

/** What is known of a transaction. */
interface Coming {
  /** Running number in the window of the first local write after the plan. */
  readonly from: number;
  /** Whether this process sent it, so that it is known what it was to do. */
  readonly isOwn: boolean;
  /** Whether all that was late for it was told before its first command comes by: so it is with a batch that this process planned. */
  readonly isPlanned: boolean;
}

export interface LateSetsOptions {
  readonly window: Window;
  readonly asked: AskedKeys;
  readonly overwritten: OverwrittenSets;
}

export class LateSets {
  readonly #window: Window;
  readonly #asked: AskedKeys;
  /** Those that are to be put back. */
  readonly overwritten: OverwrittenSets;
  readonly #hash = new KeyHash();
  /** By database and name: keys on which nothing but `SET`s was late, and those on which a `SET` of the peer's ran. */
  readonly #late = new Map<string, PlacedKey>();
  readonly #ran = new Set<string>();
  /** By database and name: keys that the transaction has done something else to, so that the peer must be asked. */
  readonly #doubted = new Map<string, PlacedKey>();
  /** How many keys the last transaction left to be put back. */
  count = 0;
  #coming: Coming | undefined;

  constructor({ window, asked, overwritten }: LateSetsOptions) {
    this.#window = window;
    this.#asked = asked;
    this.overwritten = overwritten;
  }

  /** Whether {@link writing} wants to be told of local changes. */
  get watchesWrites(): boolean {
    return this.#coming !== undefined || !this.overwritten.isEmpty;
  }

  /** The transaction has ended. Whether there is nothing to be done for it, as nearly always, and so {@link end} need not be called. */
  endsIdle(): boolean {
    if (this.#late.size + this.#doubted.size > 0) return false;
    this.count = 0;
    this.begin(undefined);
    return true;
  }

  /** A transaction comes round. @param coming undefined where no local write can be late */
  begin(coming: Coming | undefined): void {
    this.#coming = coming;
    empty(this.#late, this.#ran, this.#doubted);
  }

  /** Whether a command of the peer's is a `SET` of a key, and so is all that was late on it: then it is taken note of. */
  takes(key: PlacedKey, command: PayloadCommand): boolean {
    const { from, isOwn } = this.#coming!;
    if (!isOwn || !isSet(command)) return false;
    this.#hash.of(key.database, key.key, 0, key.key.length);
    let entry = this.#window.newest(this.#hash.low, this.#hash.high);
    for (; entry >= from; entry = this.#window.older(entry))
      if (this.#window.effectOf(entry) !== SET) return false;
    this.#late.set(nameOf(key), { database: key.database, key: Buffer.from(key.key) });
    return true;
  }

  /**
   * A command of the transaction has come round. A `SET` that knew of the local one stands above it. Anything else was to run on the local
   * value: the peer is asked for its keys.
   */
  echoed(command: PayloadCommand): void {
    // Nearly always nothing is late, and a name for each key of each transaction would be work for nothing.
    const isLate = this.#late.size > 0 || this.#coming?.isPlanned === false;
    if (!isLate && this.overwritten.isEmpty) return;
    if (isSet(command)) {
      const [key] = keysOf(command, 'written') as [PlacedKey];
      if (this.#coming) this.#ran.add(nameOf(key));
      const before = this.overwritten.on(key);
      if (before && !this.#late.has(nameOf(key))) this.overwritten.settled(before);
      return;
    }
    if (this.overwritten.isEmpty) return;
    const isOnAll = isFlush(command) || command.name === 'SWAPDB';
    const met = isOnAll
      ? this.overwritten.all().map(({ key }) => key)
      : keysOf(command, 'all').filter((key) => this.overwritten.on(key) !== undefined);
    if (met.length === 0) return;
    const derives = isDerived(command) || isSetMove(command);
    for (const key of derives ? [...met, ...keysOf(command, 'written')] : met) this.#doubt(key);
  }

  /**
   * A local change is about to be sent that writes, reads or states these keys. On a value that is still to be put back only a `SET` or a
   * removal means the same at both sites.
   * @param sequence of the request
   * @returns the keys that the peer must be asked for before it
   */
  writing(keys: readonly WrittenKey[] | 'all', sequence: number): PlacedKey[] {
    const asks: PlacedKey[] = [];
    const all = (): WrittenKey[] => this.overwritten.all().map(({ key }) => ({ key, does: 'other' }));
    for (const { key, does } of keys === 'all' ? all() : keys) {
      if (does === 'other' && this.#late.has(nameOf(key))) this.#doubt(key);
      const set = this.overwritten.on(key);
      if (!set) continue;
      if (does === 'replace') this.overwritten.settled(set);
      else this.overwritten.asked(set, sequence);
      if (does !== 'other') continue;
      this.#asked.ask(nameOf(key), { sequence, isLacking: true }, this.#window.seen);
      asks.push(set.key);
    }
    return asks;
  }

  #doubt({ database, key }: PlacedKey): void {
    this.#doubted.set(nameOf({ database, key }), { database, key: Buffer.from(key) });
  }

  /**
   * The transaction has ended: what it took the place of is to be put back.
   * @param asked keys that the peer is asked for in any case
   * @param sequence of the next local change @param theirTimestamp when the changes were made
   * @returns further keys that the peer must be asked for
   */
  end(
    asked: readonly PlacedKey[],
    { sequence, theirTimestamp }: { readonly sequence: number; readonly theirTimestamp: number },
  ): PlacedKey[] {
    this.count = 0;
    const more = new Map(this.#doubted);
    for (const key of [...asked, ...more.values()]) {
      this.#late.delete(nameOf(key));
      const set = this.overwritten.on(key);
      if (set) this.overwritten.asked(set, sequence);
    }
    for (const [name, key] of this.#late) {
      // Where the local value stood above it nothing ran, and nothing is to be put back.
      if (!this.#ran.has(name)) continue;
      if (!this.overwritten.hasRoom) {
        more.set(name, key);
        continue;
      }
      this.count++;
      this.overwritten.add({ key, through: sequence - 1, theirTimestamp });
    }
    this.begin(undefined);
    return [...more.values()];
  }
}
