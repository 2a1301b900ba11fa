/**
 * The first copy: what a site held before the pair existed reaches the other one. Each site sends what is its own, in the order of
 * its changes, while both are written; so nothing is locked, and nothing falls between the copy and the stream. A key that both
 * have, with different values, is left alone unless the user has said which site's value stays.
 */

import { byNumber, counted } from '../counted.js';
import type { Found } from '../protocol/messages/finding.js';
import type { PlacedKey } from '../redis-commands/placed-key.js';
import { TandemError } from '../errors.js';
import { Chosen, databaseSizes, runIdOf } from './chosen-keys.js';
import { compareLibraries, sendLibraries } from './libraries.js';
import { sendStates } from './mending.js';
import { PeerNames } from './peer-names.js';
import { Survey } from './survey.js';
import type { Attempt, SyncSite } from './work.js';

export interface FirstCopyResult {
  /** Keys looked at, and those sent. */
  readonly looked: number;
  readonly sent: number;
  readonly bytes: number;
  /** Keys that both sites have with different values. */
  readonly differing: number;
  /** How many of those are no keys, but libraries of functions. */
  readonly libraries: number;
  /** Values that the peer's server did not take. They are listed there. */
  readonly rejected: number;
}

/** Where the peer has all of it already. */
export const NOTHING_COPIED: FirstCopyResult = {
  looked: 0,
  sent: 0,
  bytes: 0,
  differing: 0,
  libraries: 0,
  rejected: 0,
};

interface Checkpoint {
  readonly runId: string;
  readonly database: number;
  readonly cursor: string;
  readonly counts: Counts;
}

interface Counts {
  looked: number;
  sent: number;
  bytes: number;
  differing: number;
  libraries: number;
}

/** Steps of `SCAN` between two checkpoints. */
const STEPS = 64;
const TELL_MS = 500;

/**
 * @param prefer the site whose values stay where both have one; undefined: nothing of that is overwritten
 * @throws TandemError SITES_DIFFER when both have data that differs, and no site is preferred
 */
export async function copyFirst(
  site: SyncSite,
  prefer: string | undefined,
  attempt: Attempt,
): Promise<Omit<FirstCopyResult, 'rejected'>> {
  const result = await new FirstCopy(site, prefer, attempt).run();
  if (result.differing > 0 && prefer === undefined)
    throw new TandemError(
      'SITES_DIFFER',
      // The list of jobs shows no hint: what is to be done must stand here.
      `${counted(result.differing, 'key')}${result.libraries > 0 ? ', libraries of functions among them,' : ''} ${byNumber(result.differing, 'has', 'have')} one value at ${site.site} and another at ${site.peer}; none of them was overwritten. Set prefer (TANDEM_PREFER) to ${site.site} or ${site.peer} at both sites, whose values shall stay, and start both processes again; tandem verify lists the keys`,
      {
        details: { ...result },
      },
    );
  return result;
}

class FirstCopy {
  readonly #site: SyncSite;
  readonly #prefer: string | undefined;
  readonly #attempt: Attempt;
  readonly #chosen: Chosen;
  readonly #survey: Survey;
  #counts: Counts = { looked: 0, sent: 0, bytes: 0, differing: 0, libraries: 0 };
  #total = 0;
  #toldAt = 0;

  constructor(site: SyncSite, prefer: string | undefined, attempt: Attempt) {
    this.#site = site;
    this.#prefer = prefer;
    this.#attempt = attempt;
    const { filter, internalPrefix } = site;
    this.#chosen = new Chosen({ filter, internalPrefix, choice: {} });
    this.#survey = new Survey(site, { chosen: this.#chosen, pattern: undefined, signal: attempt.signal });
  }

  async run(): Promise<Counts> {
    const { client } = this.#site;
    const runId = await runIdOf(client);
    const saved = this.#resumed(runId);
    // Before the keys: what is called on them is there.
    if (!saved) await this.#copyLibraries();
    const sizes = await databaseSizes(client);
    const databases = [...sizes.keys()].filter((database) => this.#chosen.database(database));
    this.#total = databases.reduce((sum, database) => sum + sizes.get(database)!, 0);
    for (const database of databases.toSorted((a, b) => a - b)) {
      if (saved && database < saved.database) continue;
      let cursor = saved?.database === database ? saved.cursor : '0';
      const names = await this.#namesThere(database, sizes.get(database)!);
      do {
        cursor = await this.#stretch(database, cursor, names);
        const next = cursor === '0' ? { database: database + 1, cursor } : { database, cursor };
        await this.#attempt.save({ runId, ...next, counts: this.#counts } satisfies Checkpoint);
      } while (cursor !== '0');
    }
    return { ...this.#counts };
  }

  async #copyLibraries(): Promise<void> {
    const [site, prefer] = [this.#site, this.#prefer];
    const found = await compareLibraries(site, this.#attempt.signal);
    const different = found?.different ?? [];
    // The peer sends what only it has.
    const own = different.filter(({ finding }) => finding !== 'missing-here');
    const both = own.filter(({ finding }) => finding === 'value');
    this.#counts.differing += both.length;
    this.#counts.libraries += both.length;
    const sent = prefer === site.site ? own : own.filter(({ finding }) => finding !== 'value');
    await sendLibraries(
      site,
      sent.map(({ name }) => name),
    );
    this.#counts.sent += sent.length;
  }

  #namesThere(database: number, ownKeys: number): Promise<PeerNames> {
    const about = { database, ownKeys, chosen: this.#chosen };
    return PeerNames.ask(this.#site.exchange, about, this.#attempt.signal);
  }

  async #stretch(database: number, cursor: string, names: PeerNames): Promise<string> {
    const suspects: PlacedKey[] = [];
    const next = await this.#survey.ownKeys({ database, cursor, steps: STEPS }, async (keys) => {
      const [doubtful, absent]: [PlacedKey[], PlacedKey[]] = [[], []];
      // Keys that are new here since the sites met came with the changes, most of them from the peer's own copy.
      const old = keys.filter((key) => !this.#site.isNewHere(key));
      for (const key of old) (names.mayHave(key) ? doubtful : absent).push(key);
      await this.#send(absent);
      if (doubtful.length > 0) suspects.push(...(await this.#sendMissing(doubtful)));
      this.#counts.looked += keys.length;
      await this.#tell();
    });
    if (suspects.length > 0) await this.#settle(suspects);
    return next;
  }

  /** Sends the keys the peer does not have; gives those that may differ. */
  async #sendMissing(keys: PlacedKey[]): Promise<PlacedKey[]> {
    const found = await this.#survey.compare(keys);
    // The peer takes a key that its filters leave out only where it has none.
    const isSent = ({ finding }: Found): boolean => finding === 'missing-there' || finding === 'excluded';
    await this.#send(found.filter(isSent));
    return found.filter((one) => !isSent(one));
  }

  async #settle(suspects: readonly PlacedKey[]): Promise<void> {
    const { different, undecided } = await this.#survey.settle(suspects);
    // A key that is written all the time is judged like the others: a copy of it is old beside the writes, and takes nothing from them.
    const all: readonly Found[] = [...different, ...undecided.filter(({ finding }) => finding !== 'equal')];
    await this.#send(all.filter((one) => this.#whose(one) === 'own'));
    const differing = all.filter((one) => this.#whose(one) === 'both');
    // Of some keys it is unknown whether the sites have one value: no site need be preferred for them.
    this.#counts.differing += differing.filter(({ finding }) => finding !== 'not-comparable').length;
    if (this.#prefer === this.#site.site) await this.#send(differing);
  }

  /**
   * Whose a key is. A change that crosses before the copy does can make a key at a site that had none: it has only that change, and
   * the other site's value, in which the change is as well, takes its place.
   */
  #whose(one: Found): 'own' | 'peer' | 'both' {
    if (one.finding === 'missing-there') return 'own';
    if (one.finding === 'missing-here') return 'peer';
    const isNewHere = this.#site.isNewHere(one);
    if (isNewHere === one.isNewThere) return 'both';
    return isNewHere ? 'peer' : 'own';
  }

  async #send(keys: readonly PlacedKey[]): Promise<void> {
    if (keys.length === 0) return;
    const bytes = await sendStates(this.#site, keys, { absent: false, signal: this.#attempt.signal });
    this.#counts.sent += keys.length;
    this.#counts.bytes += bytes;
  }

  #resumed(runId: string): Checkpoint | undefined {
    const saved = this.#attempt.checkpoint as Checkpoint | undefined | null;
    if (!saved || saved.runId !== runId) return undefined;
    this.#counts = saved.counts;
    return saved;
  }

  async #tell(): Promise<void> {
    const now = Date.now();
    if (now - this.#toldAt < TELL_MS) return;
    this.#toldAt = now;
    const { looked, sent, bytes, differing } = this.#counts;
    await this.#attempt.progress({
      done: looked,
      total: Math.max(this.#total, looked),
      sent,
      bytes,
      differing,
    });
  }
}
