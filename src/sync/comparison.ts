/**
 * The comparison of both sites, with repair if it is wanted: the task behind `tandem verify` and `tandem repair`. It goes through
 * this site's keys, then through those of the peer that this site lacks, a stretch at a time; what a stretch has found is kept
 * before the next one begins, so that an attempt that ends anywhere is followed by one that goes on there.
 */

import type { PlacedKey } from '../change/special.js';
import { TandemError } from '../errors.js';
import { absentAmong, Chosen, databaseSizes, runIdOf, type Choice } from './keys.js';
import type { Ledger } from './ledger.js';
import { askStates, remedyOf, sendStates, type Preference } from './mending.js';
import { Survey, type Difference } from './survey.js';
import type { Attempt, SyncSite } from './work.js';

/** What is asked for. */
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
}

/** How many keys were found to be what. */
export interface ComparisonResult {
  readonly compared: number;
  readonly equal: number;
  /** Keys that were found to differ. */
  readonly differing: number;
  /** The same, by what about them. */
  readonly byKind: Readonly<Record<string, number>>;
  /** How many of those are equal now. */
  readonly repaired: number;
  /** Keys that could not be told, because they were written all the time. */
  readonly undecided: number;
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

interface Counts {
  compared: number;
  differing: number;
  /** Those that were to be repaired, and were not. */
  unrepaired: number;
  undecided: number;
  byKind: Record<string, number>;
}

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
  #counts: Counts = { compared: 0, differing: 0, unrepaired: 0, undecided: 0, byKind: {} };
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
    const { filter, ownPrefix } = site;
    this.#chosen = new Chosen({ filter, ownPrefix, choice: this.#request });
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
      await this.#phase('own', { from, runId, among: [...sizes.keys()].toSorted(byNumber) });
    const all = [...Array(databases).keys()];
    const beginning = { database: 0, cursor: '0' };
    await this.#phase('peer', { from: from.phase === 'peer' ? from : beginning, runId, among: all });
    await this.#settleOpen();
    return this.#result();
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
      suspects.push(...(await this.#survey.compare(keys)));
      this.#counts.compared += await this.#newAmong(phase, database, keys);
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
    await this.#settleLong(this.#open);
    await this.#tell(true);
  }

  /** @throws TandemError SERVER_BUSY when some cannot be told, and must be */
  async #settleLong(keys: readonly PlacedKey[]): Promise<void> {
    const { different, undecided } = await this.#survey.settle(keys);
    await this.#differ(different);
    // What is about to expire ends at both sites.
    const busy = undecided.filter(({ finding }) => finding !== 'passing').length;
    if (busy > 0 && this.#request.insists === true)
      throw new TandemError(
        'SERVER_BUSY',
        `${busy} keys are written at both sites all the time, so that nobody can tell whether they differ`,
      );
    this.#counts.undecided += undecided.length;
  }

  async #differ(different: readonly Difference[]): Promise<void> {
    const counts = this.#counts;
    const entries = different.map((one) => ({
      database: one.database,
      key: one.key,
      kind: this.#kindOf(one),
    }));
    const fresh = await this.#ledger.missing(entries);
    for (const { kind } of fresh) counts.byKind[kind] = (counts.byKind[kind] ?? 0) + 1;
    counts.differing += fresh.length;
    // Before they are mended: an attempt that ends in between is followed by one that finds them equal.
    await this.#ledger.note(fresh);
    counts.unrepaired += await this.#mend(different);
  }

  /** Gives how many still differ. */
  async #mend(different: readonly Difference[]): Promise<number> {
    const { repair = false, dryRun = false, prefer, leaves = false, removes = false } = this.#request;
    if (!repair || dryRun || different.length === 0) return 0;
    const { signal } = this.#attempt;
    const preference: Preference = { prefer: prefer ?? (leaves ? undefined : this.#site.site), removes };
    const remedy = (one: Difference): string => remedyOf(one, preference, this.#site);
    const sent = different.filter((one) => remedy(one) === 'send');
    await sendStates(this.#site, sent, { absent: removes, signal });
    await askStates(
      this.#site,
      different.filter((one) => remedy(one) === 'ask'),
      signal,
    );
    const { different: still, undecided } = await this.#survey.settle(different);
    this.#counts.undecided += undecided.length;
    return still.length;
  }

  #kindOf({ finding }: Difference): string {
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
    this.#counts = saved.counts;
    this.#open = (saved.open ?? []).map(([database, key]) => ({ database, key: Buffer.from(key, 'base64') }));
    // What was noted behind the checkpoint is not counted again when it is met again.
    const noted = await this.#ledger.counts();
    if (noted) {
      this.#counts.byKind = noted;
      this.#counts.differing = Object.values(noted).reduce((sum, count) => sum + count, 0);
    }
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

  #result(): ComparisonResult {
    const { compared, differing, undecided, byKind } = this.#counts;
    return {
      compared,
      equal: Math.max(0, compared - differing - undecided),
      differing,
      byKind,
      repaired: this.#repaired,
      undecided,
    };
  }
}

/** How often progress is told. */
const TELL_MS = 500;

function byNumber(a: number, b: number): number {
  return a - b;
}
