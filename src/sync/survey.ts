/**
 * Goes through the keys of both sites and finds those that differ. A first finding is only a suspicion: a key may have been written at
 * both sites at that moment, or be on its way. It counts when it is found again and again, each time at one place of the order, by sites
 * that had nothing to tell each other about it.
 */

import { setTimeout as sleep } from 'node:timers/promises';
import type { Finding, Found } from '../protocol/messages/finding.js';
import type { PlacedKey } from '../redis-commands/placed-key.js';
import { GrowingBloom } from './key-bloom.js';
import { absentAmong, scan, type Chosen } from './chosen-keys.js';
import { Pool } from '../async/pool.js';
import type { SyncSite } from './work.js';

/** Findings about a key that could not be compared at that moment. */
const UNTOLD = ['busy', 'equal', 'passing', 'excluded', 'large', 'left'] as const;

/** A key that differs for certain. */
export interface Difference extends Found {
  readonly finding: Exclude<Finding, (typeof UNTOLD)[number]>;
}

export interface Settled {
  readonly different: readonly Difference[];
  /** Keys that were written all the time, and were not always equal. */
  readonly undecided: readonly Found[];
  /** Those, and keys that were written all the time and always equal. */
  readonly open: readonly Found[];
}

/** Keys looked at in one step of the server, which is held up by it for about a millisecond. */
const STEP_KEYS = 128;
/** Questions on their way. */
const QUESTIONS = 32;
/** Names fetched here, and of the peer, in one go. */
const SCANNED_KEYS = 4 * STEP_KEYS;
const LISTED_KEYS = 2000;
/** How often a key must be found to differ, and how often it is looked at before it counts as undecided. */
const FINDINGS = 3;
const LOOKS = 16;
/** Of so many keys at least it is seen whether quick entries pay: not where every fourth key is asked about again. */
const FEW_QUICK = 1000;
const MOST_AGAIN = 4;
const FIRST_PAUSE_MS = 10;
const LONGEST_PAUSE_MS = 1000;

export class Survey {
  readonly #site: SyncSite;
  readonly #chosen: Chosen;
  readonly #pattern: string | undefined;
  readonly #signal: AbortSignal;
  /** Own keys that were gone through. */
  readonly #met = new GrowingBloom();
  /** Keys that were asked about by quick entries, and those of them that were asked about again. */
  readonly #quick = { asked: 0, again: 0 };

  constructor(
    site: SyncSite,
    { chosen, pattern, signal }: { chosen: Chosen; pattern: string | undefined; signal: AbortSignal },
  ) {
    this.#site = site;
    this.#chosen = chosen;
    this.#pattern = pattern;
    this.#signal = signal;
  }

  /**
   * Calls `each` with the keys this site has in a database, some at a time, several times at once.
   * @param options `cursor`: where to begin; `steps`: after how many of `SCAN` to end
   * @returns the cursor to go on with; `0` when all have been seen
   */
  async ownKeys(
    { database, cursor, steps }: { database: number; cursor: string; steps: number },
    each: (keys: PlacedKey[]) => Promise<void>,
  ): Promise<string> {
    const { client } = this.#site;
    const pool = new Pool(QUESTIONS);
    let at = cursor;
    for (let step = 0; step < steps; step++) {
      this.#signal.throwIfAborted();
      const { cursor: next, keys } = await scan(client, {
        database,
        cursor: at,
        count: SCANNED_KEYS,
        pattern: this.#pattern,
      });
      at = next;
      const wanted = this.#placed(database, keys);
      for (const key of wanted) this.#met.add(key);
      for (let from = 0; from < wanted.length; from += STEP_KEYS)
        await pool.add(() => each(wanted.slice(from, from + STEP_KEYS)));
      if (at === '0') break;
    }
    await pool.drain();
    return at;
  }

  /**
   * Calls `each` with the keys of the peer's that `ownKeys` has not met: those that this site has not, and those that it has got
   * since, of which it may have a part only. Arguments and result are those of {@link ownKeys}.
   */
  async peerKeys(
    { database, cursor, steps }: { database: number; cursor: string; steps: number },
    each: (keys: PlacedKey[]) => Promise<void>,
  ): Promise<string> {
    const { exchange } = this.#site;
    const pool = new Pool(QUESTIONS);
    let at = cursor;
    for (let step = 0; step < steps; step++) {
      const listed = await exchange.list({ database, cursor: at, count: LISTED_KEYS }, this.#signal);
      at = listed.cursor;
      await pool.add(async () => {
        const [met, fresh]: [Buffer[], Buffer[]] = [[], []];
        for (const { key } of this.#placed(database, listed.keys))
          (this.#met.has({ database, key }) ? met : fresh).push(key);
        const asked = [...fresh, ...(await absentAmong(this.#site.client, database, met))];
        if (asked.length > 0) await each(asked.map((key) => ({ database, key })));
      });
      if (at === '0') break;
    }
    await pool.drain();
    return at;
  }

  /** Holds keys against the peer's once, first by their dumps: nearly all are equal, and kept in the same way. */
  async compare(keys: readonly PlacedKey[]): Promise<Found[]> {
    return this.#compare(keys, this.#isQuick);
  }

  /** Whether quick entries have saved more than they cost up to now. */
  get #isQuick(): boolean {
    const { asked, again } = this.#quick;
    return asked < FEW_QUICK || again * MOST_AGAIN < asked;
  }

  async #compare(keys: readonly PlacedKey[], isQuick: boolean): Promise<Found[]> {
    const { exchange, pace } = this.#site;
    const all: Found[] = [];
    const inParts: PlacedKey[] = [];
    const again: PlacedKey[] = [];
    for (let asked = keys; asked.length > 0;) {
      const step = asked.slice(0, STEP_KEYS);
      const { sizes, found, large, left } = await exchange.compare(step, this.#signal, isQuick);
      all.push(...found);
      inParts.push(...large);
      if (isQuick) {
        again.push(...left);
        this.#quick.asked += sizes.length;
        this.#quick.again += left.length;
      }
      asked = [...(isQuick ? [] : left), ...asked.slice(sizes.length)];
      await pace.take({ keys: sizes.length, bytes: sizes.reduce((a, b) => a + b, 0) }, this.#signal);
    }
    if (again.length > 0) all.push(...(await this.#compare(again, false)));
    const told = await Promise.all(inParts.map((key) => exchange.compareInParts(key, this.#signal)));
    return [...all, ...told.filter((one) => one !== undefined)];
  }

  /**
   * Looks at keys until it is certain of each whether it differs. A key that is written all the time and is equal each time it is
   * looked at is equal: its writes change nothing, as those of a beacon do.
   * @param looks how often at the most
   * @param compare looks at keys once
   */
  async settle(
    suspected: readonly PlacedKey[],
    looks = LOOKS,
    compare: (keys: readonly PlacedKey[]) => Promise<readonly Found[]> = (keys) => this.#compareAside(keys),
  ): Promise<Settled> {
    const different: Difference[] = [];
    const times = new Map<string, number>();
    const unequal = new Set<string>();
    let asked = suspected;
    let open: readonly Found[] = [];
    for (let look = 0; look < looks && asked.length > 0; look++) {
      await sleep(Math.min(FIRST_PAUSE_MS * 2 ** look, LONGEST_PAUSE_MS), undefined, {
        signal: this.#signal,
      });
      const found = await compare(asked);
      asked = open = found.filter((one) => {
        const name = nameOf(one);
        // The peer has been told to leave it out meanwhile.
        if (one.finding === 'excluded') return false;
        if (one.finding !== 'equal') unequal.add(name);
        if (!isTold(one)) {
          times.delete(name);
          return true;
        }
        const count = (times.get(name) ?? 0) + 1;
        times.set(name, count);
        if (count < FINDINGS) return true;
        different.push(one);
        return false;
      });
    }
    return { different, undecided: open.filter((one) => unequal.has(nameOf(one))), open };
  }

  /** The same, and keys that the peer alone writes all the time are told as well: the peer is asked to ask about them. */
  async settleTurned(suspected: readonly PlacedKey[], looks: number): Promise<Settled> {
    const { different, undecided, open } = await this.settle(suspected, looks);
    const busy = undecided.filter(({ finding }) => finding !== 'passing');
    if (busy.length === 0) return { different, undecided, open };
    const told = await this.settle(busy, looks, (keys) => this.#compareTurned(keys));
    // The peer says in answers of its own who wrote them when, and whether it has an open gap.
    const latest = new Map((await this.#compareAside(busy)).map((one) => [nameOf(one), one]));
    const known = <One extends Found>(one: One): One => {
      const { claim, cut } = latest.get(nameOf(one)) ?? busy.find((each) => nameOf(each) === nameOf(one))!;
      return { ...one, claim, cut };
    };
    const passing = undecided.filter(({ finding }) => finding === 'passing');
    return {
      different: [...different, ...told.different.map(known)],
      undecided: [...passing, ...told.undecided.map(known)],
      open: [...passing, ...told.open.map(known)],
    };
  }

  async #compareTurned(keys: readonly PlacedKey[]): Promise<Found[]> {
    const { exchange, pace } = this.#site;
    const pool = new Pool(QUESTIONS);
    const all: Found[] = [];
    for (const key of keys)
      await pool.add(async () => {
        all.push(...(await exchange.compareTurned(key, this.#signal)));
        await pace.take({ keys: 1, bytes: 0 }, this.#signal);
      });
    await pool.drain();
    return all;
  }

  async #compareAside(keys: readonly PlacedKey[]): Promise<Found[]> {
    const pool = new Pool(QUESTIONS);
    const all: Found[] = [];
    for (let from = 0; from < keys.length; from += STEP_KEYS) {
      const part = keys.slice(from, from + STEP_KEYS);
      await pool.add(async () => void all.push(...(await this.#compare(part, false))));
    }
    await pool.drain();
    return all;
  }

  #placed(database: number, keys: readonly Buffer[]): PlacedKey[] {
    return keys.filter((key) => this.#chosen.key(database, key)).map((key) => ({ database, key }));
  }
}

function isTold(one: Found): one is Difference {
  return !(UNTOLD as readonly Finding[]).includes(one.finding);
}

function nameOf({ database, key }: PlacedKey): string {
  return `${database}:${key.toString('latin1')}`;
}
