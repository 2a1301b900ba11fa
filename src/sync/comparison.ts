/**
 * The comparison of both sites, with repair if it is wanted: the task behind `tandem verify` and `tandem repair`. It goes through
 * this site's keys, then through those of the peer that this site lacks, a stretch at a time; what a stretch has found is kept
 * before the next one begins, so that an attempt that ends anywhere is followed by one that goes on there.
 */

import { byNumber, counted } from '../counted.js';
import type { PlacedKey } from '../redis-commands/placed-key.js';
import { TandemError } from '../errors.js';
import { absentAmong, Chosen, databaseSizes, runIdOf, type Choice } from './chosen-keys.js';
import type { Ledger } from './ledger.js';
import { compareLibraries, mendLibraries } from './libraries.js';
import { askStates, remedyOf, sendStates, stayingOf, type Preference, type Remedy } from './mending.js';
import { addFresh, noCounts, resultOf, type ComparisonResult, type Counts } from './comparison-counts.js';
import { Survey, type Difference } from './survey.js';
import { transferStates } from './transfer.js';
import type { Attempt, SyncSite } from './work.js';

/** The request of a comparison. */
export interface ComparisonRequest extends Choice {
  readonly repair?: boolean;
  /** With `repair`: tell what would be done, and do nothing. */
  readonly dryRun?: boolean;
  readonly prefer?: string | undefined;
  /** With `repair`, and without a preference: keys that both sites have stay as they are. */
  readonly leaves?: boolean;
  readonly removes?: boolean;
  /** To be tried again until no key is undecided. */
  readonly insists?: boolean;
  /** With `repair`: behind a gap, so that each key is judged by itself, whatever is preferred. */
  readonly judged?: boolean;
}

interface Checkpoint {
  /** Of the server whose cursors these are. */
  readonly runId: string;
  readonly phase: 'own' | 'peer';
  readonly database: number;
  readonly cursor: string;
  readonly counts: Counts;
  /** Keys that were being written when their turn came: database, key in base64. */
  readonly open?: readonly (readonly [database: number, key: string])[];
}

/** In place of the number of a database, for what is in none: a library of functions. */
export const LIBRARIES_PLACE = -1;
/** Steps of `SCAN` between two checkpoints. */
const STEPS = 64;
const PEER_STEPS = 16;
/** A stretch may find so many suspects; the rest of it is left for later. They are in memory. */
const MAX_SUSPECTS = 50_000;
/** How often a key that is being written is looked at in its turn. If that is not enough, it is left for the end. */
const FEW_LOOKS = 6;
/** Keys left for the end, and bytes of a name of such a key: they are saved with each checkpoint. */
const MAX_OPEN = 1000;
const MAX_OPEN_NAME = 1024;

/** @throws TandemError TIMEOUT when the peer does not answer; what the local server refused */
export async function compareSites(
  site: SyncSite,
  ledger: Ledger,
  attempt: Attempt,
): Promise<ComparisonResult> {
  return new Comparison(site, ledger, attempt).run();
}

class Comparison {
  readonly #site: SyncSite;
  readonly #ledger: Ledger;
  readonly #attempt: Attempt;
  readonly #request: ComparisonRequest;
  readonly #chosen: Chosen;
  readonly #survey: Survey;
  #counts: Counts = noCounts();
  /** Keys left for the end. */
  #open: PlacedKey[] = [];
  /** An attempt before this one has gone through a part of this site's keys: which ones is not known. */
  #isResumed = false;
  #total = 0;
  #toldAt = 0;

  constructor(site: SyncSite, ledger: Ledger, attempt: Attempt) {
    this.#site = site;
    this.#ledger = ledger;
    this.#attempt = attempt;
    this.#request = attempt.data ?? {};
    const { filter, internalPrefix } = site;
    this.#chosen = new Chosen({ filter, internalPrefix, choice: this.#request });
    this.#survey = new Survey(site, {
      chosen: this.#chosen,
      pattern: this.#request.pattern,
      signal: attempt.signal,
    });
  }

  async run(): Promise<ComparisonResult> {
    const { client, databases, site, peer } = this.#site;
    const { prefer, database } = this.#request;
    if (database !== undefined && database >= databases)
      throw new TandemError('CONFIG_INVALID', `the server has no database ${database}, only ${databases}`);
    if (prefer !== undefined && prefer !== site && prefer !== peer)
      throw new TandemError('CONFIG_INVALID', `no site of this pair is called ${prefer}`, {
        hint: `the sites are ${site} and ${peer}`,
      });
    const runId = await runIdOf(client);
    const from = await this.#resumed(runId);
    const sizes = await databaseSizes(client);
    this.#total = [...sizes].reduce((sum, [db, keys]) => sum + (this.#chosen.database(db) ? keys : 0), 0);
    if (from.phase === 'own')
      await this.#phase('own', { from, runId, among: [...sizes.keys()].toSorted(inOrder) });
    const all = [...Array(databases).keys()];
    const beginning = { database: 0, cursor: '0' };
    await this.#phase('peer', { from: from.phase === 'peer' ? from : beginning, runId, among: all });
    await this.#settleOpen();
    await this.#compareLibraries();
    return resultOf(this.#counts, this.#repaired);
  }

  async #phase(
    phase: 'own' | 'peer',
    { from, runId, among }: { from: { database: number; cursor: string }; runId: string; among: number[] },
  ): Promise<void> {
    const chosen = among.filter((database) => database >= from.database && this.#chosen.database(database));
    for (const database of chosen) {
      let cursor = database === from.database ? from.cursor : '0';
      do {
        cursor = await this.#stretch(phase, database, cursor);
        const next = cursor === '0' ? { database: database + 1, cursor } : { database, cursor };
        const open = this.#open.map(({ database: db, key }) => [db, key.toString('base64')] as const);
        await this.#attempt.save({ runId, phase, ...next, counts: this.#counts, open } satisfies Checkpoint);
      } while (cursor !== '0');
    }
  }

  /** Goes through some keys, makes sure of those that differ, mends them if that is wanted. Gives the cursor behind them. */
  async #stretch(phase: 'own' | 'peer', database: number, cursor: string): Promise<string> {
    const suspects: PlacedKey[] = [];
    const each = async (keys: PlacedKey[]): Promise<void> => {
      const found = await this.#survey.compare(keys);
      const excluded = found.filter(({ finding }) => finding === 'excluded').length;
      suspects.push(...found.filter(({ finding }) => finding !== 'excluded'));
      this.#counts.excluded += excluded;
      const fresh = await this.#newAmong(phase, database, keys);
      // Read behind the wait: several of these run side by side.
      this.#counts.compared += fresh - excluded;
      await this.#tell();
    };
    const next = await (phase === 'own'
      ? this.#survey.ownKeys({ database, cursor, steps: STEPS }, each)
      : this.#survey.peerKeys({ database, cursor, steps: PEER_STEPS }, each));
    for (let at = 0; at < suspects.length; at += MAX_SUSPECTS)
      await this.#settle(suspects.slice(at, at + MAX_SUSPECTS));
    await this.#tell(true);
    return next;
  }

  /** How many of these keys were not compared before. */
  async #newAmong(phase: 'own' | 'peer', database: number, keys: readonly PlacedKey[]): Promise<number> {
    if (phase === 'own' || !this.#isResumed) return keys.length;
    const names = keys.map(({ key }) => key);
    return (await absentAmong(this.#site.client, database, names)).length;
  }

  async #settle(suspects: readonly PlacedKey[]): Promise<void> {
    if (suspects.length === 0) return;
    const { different, open } = await this.#survey.settle(suspects, FEW_LOOKS);
    await this.#differ(different);
    const isLeft = ({ key }: PlacedKey, at: number): boolean =>
      this.#open.length + at < MAX_OPEN && key.length <= MAX_OPEN_NAME;
    const now = open.filter((one, at) => !isLeft(one, at));
    this.#open.push(...open.filter((one, at) => isLeft(one, at)));
    if (now.length > 0) await this.#settleLong(now);
  }

  /** Makes sure of the keys that were left for the end. */
  async #settleOpen(): Promise<void> {
    if (this.#request.judged === true && this.#open.length > 0) this.#open = await this.#transfer(this.#open);
    await this.#settleLong(this.#open);
    await this.#tell(true);
  }

  /** @throws TandemError SERVER_BUSY when some cannot be told, and must be */
  async #settleLong(keys: readonly PlacedKey[]): Promise<void> {
    // A key that is judged was looked at from both sides before.
    const looks = this.#request.judged === true ? FEW_LOOKS : undefined;
    const { different, undecided } = await this.#survey.settle(keys, looks);
    await this.#differ(different);
    // A key that is about to expire ends at both sites.
    const busy = undecided.filter(({ finding }) => finding !== 'passing').length;
    if (busy > 0 && this.#request.insists === true)
      throw new TandemError(
        'SERVER_BUSY',
        `${counted(busy, 'key')} ${byNumber(busy, 'is', 'are')} written at both sites all the time, so that nobody can tell whether ${byNumber(busy, 'it differs', 'they differ')}`,
      );
    this.#counts.undecided += undecided.length;
  }

  /** They are in no database, and match no pattern. */
  async #compareLibraries(): Promise<void> {
    const { pattern, database, sample, repair = false, dryRun = false } = this.#request;
    if (pattern !== undefined || database !== undefined || sample !== undefined) return;
    const { signal } = this.#attempt;
    const found = await compareLibraries(this.#site, signal);
    if (!found || found.compared === 0) return;
    const counts = this.#counts;
    const entries = found.different.map(({ name, finding }) => ({
      database: LIBRARIES_PLACE,
      key: Buffer.from(name, 'latin1'),
      kind: finding === 'value' ? 'library' : `library-${this.#kindOf({ finding })}`,
      stays: repair ? stayingOf(remedyOf({ finding }, this.#preference, this.#site), this.#site) : undefined,
    }));
    const fresh = await this.#ledger.missing(entries);
    addFresh(counts, fresh);
    counts.compared += found.compared;
    await this.#ledger.note(fresh);
    if (!repair || dryRun || found.different.length === 0) return;
    await mendLibraries(this.#site, found.different, this.#preference);
    counts.unrepaired += (await compareLibraries(this.#site, signal))?.different.length ?? 0;
  }

  get #preference(): Preference {
    const { prefer, leaves = false, removes = false } = this.#request;
    return { prefer: prefer ?? (leaves ? undefined : this.#site.site), removes };
  }

  async #differ(found: readonly Difference[]): Promise<void> {
    const counts = this.#counts;
    const different = found.filter(({ finding }) => finding !== 'not-comparable');
    const untold = found.filter(({ finding }) => finding === 'not-comparable');
    counts.notComparable += untold.length;
    // A repair makes them the same all the same: it cannot tell afterwards, and is done with them.
    await this.#send(untold);
    const entries = different.map((one) => ({
      database: one.database,
      key: one.key,
      kind: this.#kindOf(one),
      stays: this.#request.repair ? stayingOf(this.#remedyOf(one).remedy, this.#site) : undefined,
    }));
    const fresh = await this.#ledger.missing(entries);
    addFresh(counts, fresh);
    // Before they are mended: an attempt that ends in between is followed by one that finds them equal.
    await this.#ledger.note(fresh);
    counts.unrepaired += await this.#mend(different);
  }

  /** Gives how many still differ. */
  async #mend(different: readonly Difference[]): Promise<number> {
    if (!(await this.#send(different))) return 0;
    const { different: still, undecided } = await (this.#request.judged === true
      ? this.#survey.settleTurned(different, FEW_LOOKS)
      : this.#survey.settle(different));
    this.#counts.undecided += undecided.length;
    return still.length;
  }

  /** Sends the values that are to stay, if that is wanted, and asks for the peer's. */
  async #send(different: readonly Difference[]): Promise<boolean> {
    const { repair = false, dryRun = false, removes = false } = this.#request;
    if (!repair || dryRun || different.length === 0) return false;
    const { signal } = this.#attempt;
    const remedies = different.map((one) => ({ one, ...this.#remedyOf(one) }));
    const sent = remedies.filter(({ remedy }) => remedy === 'send');
    await sendStates(
      this.#site,
      sent.map(({ one, rankMs }) => ({ ...one, rankMs })),
      { absent: removes, signal },
    );
    const asked = remedies.filter(({ remedy }) => remedy === 'ask').map(({ one }) => one);
    await askStates(this.#site, asked, signal);
    return true;
  }

  #remedyOf(one: Difference): { remedy: Remedy; rankMs: number } {
    const { site, peer, judge } = this.#site;
    const judgement = this.#request.judged === true ? judge(one) : undefined;
    const judged = judgement && { prefer: judgement.stays === 'own' ? site : peer };
    const preference = { ...this.#preference, ...judged };
    return { remedy: remedyOf(one, preference, this.#site), rankMs: judgement?.ownWroteMs ?? 0 };
  }

  /**
   * Keys that are written at both sites all the time and cannot be told: the value of the site that has the better claim becomes that of both, at
   * its place in the order of the changes. Gives those that are still open.
   */
  async #transfer(keys: readonly PlacedKey[]): Promise<PlacedKey[]> {
    const { different, undecided } = await this.#survey.settleTurned(keys, FEW_LOOKS);
    await this.#differ(different);
    const busy = undecided.filter(({ finding }) => finding !== 'passing');
    const passing = undecided.filter(({ finding }) => finding === 'passing');
    const left = await transferStates(this.#site, busy, this.#attempt.signal);
    return [...passing, ...left];
  }

  #kindOf({ finding }: Pick<Difference, 'finding'>): string {
    const { site, peer } = this.#site;
    if (finding === 'missing-here') return `missing-${site}`;
    return finding === 'missing-there' ? `missing-${peer}` : finding;
  }

  async #resumed(runId: string): Promise<Checkpoint> {
    const saved = this.#attempt.checkpoint as Checkpoint | undefined | null;
    if (!saved || saved.runId !== runId) {
      await this.#ledger.clear();
      return { runId, phase: 'own', database: 0, cursor: '0', counts: this.#counts };
    }
    this.#isResumed = true;
    this.#counts = { ...noCounts(), ...saved.counts };
    this.#open = (saved.open ?? []).map(([database, key]) => ({ database, key: Buffer.from(key, 'base64') }));
    // A key noted behind the checkpoint is not counted again when it is met again.
    const noted = await this.#ledger.counts();
    if (noted) Object.assign(this.#counts, noted);
    return saved;
  }

  get #repaired(): number {
    const { repair = false, dryRun = false } = this.#request;
    return repair && !dryRun ? this.#counts.differing - this.#counts.unrepaired : 0;
  }

  async #tell(always = false): Promise<void> {
    const now = Date.now();
    if (!always && now - this.#toldAt < TELL_MS) return;
    this.#toldAt = now;
    const { compared, differing } = this.#counts;
    await this.#attempt.progress({
      done: compared,
      total: Math.max(this.#total, compared),
      differing,
      repaired: this.#repaired,
    });
  }
}

/** How often progress is told. */
const TELL_MS = 500;

function inOrder(a: number, b: number): number {
  return a - b;
}
