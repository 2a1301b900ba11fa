import type { Mix } from './mixes.js';
import type { Argv } from './redis/store.js';
import type { Slot } from './redis/value.js';
import type { Site } from './site.js';

/** Keeps account of what the applications wrote, and says whether a promise about it was broken. */
export class Ledger {
  #sum = 0;
  #before: Slot | undefined;
  /** What was ever put in, and what some application took out or overwrote knowing it. */
  readonly #put = new Set<string>();
  readonly #taken = new Set<string>();
  readonly #sites = new Map<string, Set<string>>();
  readonly #late = new Set<Site>();
  readonly #isCalm: boolean;

  constructor({ lateWrites, restarts }: { lateWrites: boolean; restarts: string | undefined }) {
    this.#isCalm = !lateWrites && restarts !== 'forgets';
  }

  /** Before a site's application writes. */
  before(site: Site): void {
    this.#before = site.store.copy('k');
  }

  /** After it has written. */
  note(site: Site, effective: readonly Argv[]): void {
    for (const [name, , by] of effective) {
      if (name === 'INCRBY') this.#sum += Number(by);
      if (name === 'DECRBY') this.#sum -= Number(by);
    }
    const before = contents(this.#before);
    const now = contents(site.store.get('k'));
    for (const item of now) {
      if (before.has(item)) continue;
      this.#put.add(item);
    }
    this.see(site);
    for (const item of before) if (!now.has(item)) this.#taken.add(item);
    // Put and taken within one transaction.
    for (const argv of effective) {
      // A site's deletion means all that was ever there, whether a late write had hidden it meanwhile or not.
      if (argv[0] === 'DEL' || argv[0] === 'XTRIM') {
        const meant = site.isAsking('k') ? this.#put : this.#knownTo(site);
        for (const item of meant) if (!now.has(item)) this.#taken.add(item);
      }
      if (['SREM', 'HDEL', 'ZREM', 'XDEL'].includes(argv[0]!))
        for (const item of argv.slice(2)) this.#taken.add(item);
      if (!['RPUSH', 'LPUSH'].includes(argv[0]!)) continue;
      for (const item of argv.slice(2)) if (!now.has(item)) this.#taken.add(item);
    }
  }

  /** After anything has changed at a site: what is there. */
  see(site: Site): void {
    for (const item of contents(site.store.get('k'))) this.#knownTo(site).add(item);
  }

  #knownTo({ name }: Site): Set<string> {
    let known = this.#sites.get(name);
    if (!known) this.#sites.set(name, (known = new Set()));
    return known;
  }

  /** A write has slipped in between decision and application. */
  noteLate(site: Site): void {
    this.#late.add(site);
  }

  /**
   * What of the promise was broken; undefined if nothing. When writes have slipped in at both sites, each may have covered
   * the other's late one before it could be told: then only equality is promised.
   */
  broken(promise: NonNullable<Mix['promise']>, slot: Slot | undefined): string | undefined {
    if (this.#late.size > 1 && promise !== 'sum' && promise !== 'union') return undefined;
    const now = contents(slot);
    const lost = [...this.#put].filter((item) => !now.has(item) && !this.#taken.has(item));
    switch (promise) {
      case 'sum': {
        const total = slot?.value.type === 'string' ? Number(slot.value.text) : 0;
        return total === this.#sum ? undefined : `the sum is ${total}, not ${this.#sum}`;
      }
      case 'union':
      case 'cells':
        return lost.length > 0 ? `lost: ${lost.join(' ')}` : undefined;
      case 'elements':
      case 'exact elements': {
        const gone = lost.filter((item) => item.length > 1);
        if (gone.length > 0) return `lost: ${gone.join(' ')}`;
        const elements = slot?.value.type === 'list' ? slot.value.elements : [];
        const doubled = elements.filter((item, index) => item.length > 1 && elements.indexOf(item) !== index);
        if (doubled.length > 0) return `doubled: ${doubled.join(' ')}`;
        const back = [...this.#taken].filter((item) => item.length > 1 && now.has(item));
        return promise === 'exact elements' && this.#isCalm && back.length > 0
          ? `came back: ${back.join(' ')}`
          : undefined;
      }
      default:
        return undefined;
    }
  }
}

/** Elements, members, fields, entry IDs or the text of a key. */
export function contents(slot: Slot | undefined): Set<string> {
  const value = slot?.value;
  switch (value?.type) {
    case undefined:
      return new Set();
    case 'string':
      return new Set([value.text]);
    case 'list':
      return new Set(value.elements);
    case 'stream':
      return new Set(value.entries.map(({ id }) => id));
    default:
      return new Set(value!.cells.keys());
  }
}
