import { byNumber, counted } from '../counted.js';
import { setTimeout as sleep } from 'node:timers/promises';
import type { LocalConfig } from '../config/config.js';
import { JobClient, type JobView } from '../jobs/job-client.js';
import { errorLine, TandemError, type ErrorCode } from '../errors.js';
import { LIBRARIES_PLACE, type ComparisonRequest } from '../sync/comparison.js';
import type { ComparisonResult } from '../sync/comparison-counts.js';
import { parseNoted } from '../sync/ledger.js';
import { writeDifferences } from './differences-file.js';
import { atLocalSite, isWorkedFor, type LocalSite } from './local-site.js';
import { untilPeerIsAway } from './peer-away.js';
import { ProgressLine, showJob } from './progress-line.js';
import { duration, grouped, paint } from './terminal.js';

/** What `tandem verify` was told; `tandem repair` is the same with `repair`. */
export interface VerifyArguments {
  /** Percent of the keys, as text. */
  readonly sample: string | undefined;
  readonly pattern: string | undefined;
  /** Number of a database, as text. */
  readonly db: string | undefined;
  readonly repair: boolean;
  readonly dryRun: boolean;
  readonly json: boolean;
  /** File for the list of keys that differ. */
  readonly out: string | undefined;
}

/** Exit codes of a comparison. */
const EQUAL = 0;
const DIFFERENT = 1;
const NOT_COMPARED = 2;

const WRONG_PLACE: readonly ErrorCode[] = ['WRONG_PAIR', 'SAME_SITE'];

const SHOWN = 20;
/** A site that nobody has worked for, for so long, is deserted: a restart or a takeover is over by then. */
const DESERTED_MS = 10_000;
const LOOK_MS = 500;
/** The process ends a job within about a second of being told to. */
const TAKE_BACK_MS = 3000;
const TAKE_BACK_LOOK_MS = 100;

interface ListedDifference {
  /** Null for a library of functions, which is in none. */
  readonly db: number | null;
  /** As text; bytes that are none as `\xNN`. */
  readonly key: string;
  readonly kind: string;
  /** The site whose value stays, where a repair was asked for; absent where each keeps its own. */
  readonly stays?: string;
}

/**
 * Has the running process compare the sites, and tells what it found. Resolves with 0 when they are equal (or have been made so),
 * 1 when they differ, 2 when they could not be compared. @throws TandemError WRONG_PAIR, SAME_SITE
 */
export async function verify(config: LocalConfig, args: VerifyArguments): Promise<number> {
  try {
    const request = requestOf(config, args);
    return await atLocalSite(config, 'verify', async (own) => {
      if (!(await isWorkedFor(own))) throw noProcess(config);
      return compare(config, own, { request, args });
    });
  } catch (error) {
    // Whoever is at the wrong place is told so by every command alike.
    if (error instanceof TandemError && WRONG_PLACE.includes(error.code)) throw error;
    console.error(`tandem: ${errorLine(error)}`);
    if (error instanceof TandemError && error.hint !== undefined) console.error(`  → ${error.hint}`);
    return NOT_COMPARED;
  }
}

async function compare(
  config: LocalConfig,
  own: LocalSite,
  { request, args }: { request: ComparisonRequest; args: VerifyArguments },
): Promise<number> {
  const jobs = new JobClient({ client: own.redis, keys: own.keys, log: own.log });
  const stop = new AbortController();
  const over = new AbortController();
  const abort = (): void => stop.abort();
  // Once the peer has answered, the process itself knows best whether it still does.
  const answered = new AbortController();
  let hopeless: TandemError | undefined;
  const stopWhen = async (found: Promise<TandemError | undefined>): Promise<void> => {
    hopeless ??= await found;
    if (hopeless !== undefined) stop.abort();
  };
  process.once('SIGINT', abort).once('SIGTERM', abort);
  // Who asks again is asked: nothing is tried again behind their back.
  const id = await jobs.add('verify', request, { attempts: 1 });
  const line = new ProgressLine(!args.json);
  try {
    void stopWhen(untilDeserted(own, over.signal).then((is) => (is ? noProcess(config) : undefined)));
    void stopWhen(untilPeerIsAway(own, answered.signal));
    const told = (now: JobView): void => {
      showJob(line, now);
      if (hasBegun(now)) answered.abort();
    };
    const job = await jobs.follow(id, told, stop.signal).catch((error: unknown) => {
      throw hopeless ?? error;
    });
    if (job.state === 'failed' || job.result === null)
      throw new TandemError('INTERNAL', `the comparison failed: ${job.failure ?? 'without a reason'}`, {
        hint: `see the log of the running process. tandem jobs retry ${id} tries it again, tandem jobs drop ${id} takes it off the list of failed jobs`,
      });
    const result = job.result as ComparisonResult;
    const differences = await listed(own, id);
    tell(result, differences, { config, args, tookMs: (job.endedAt ?? 0) - (job.startedAt ?? 0) });
    if (result.differing > result.repaired) return DIFFERENT;
    return result.undecided > 0 ? NOT_COMPARED : EQUAL;
  } finally {
    line.clear();
    over.abort();
    answered.abort();
    if (stop.signal.aborted) await takeBack(jobs, id).catch(() => {});
    await jobs.close();
    process.off('SIGINT', abort).off('SIGTERM', abort);
  }
}

/** Whether keys have been compared: for each of them the peer was asked. */
function hasBegun({ progress }: JobView): boolean {
  return (((progress ?? {}) as { done?: unknown }).done ?? 0) !== 0;
}

/** Who has asked no longer wants it: a job that failed only by that is none that a person has to look at. */
async function takeBack(jobs: JobClient, id: string): Promise<void> {
  if ((await jobs.cancel(id)) !== 'asked') return;
  const endMs = Date.now() + TAKE_BACK_MS;
  while (Date.now() < endMs && (await jobs.drop(id)) === 'not ended') await sleep(TAKE_BACK_LOOK_MS);
}

/** Resolves with true when nobody has worked for the site for a while, and with false when the signal aborts. */
async function untilDeserted(own: LocalSite, signal: AbortSignal): Promise<boolean> {
  let since = Date.now();
  while (!signal.aborted) {
    await sleep(LOOK_MS, undefined, { signal }).catch(() => {});
    if (signal.aborted) return false;
    // A Redis that does not answer ends the following of the job, too.
    if (await isWorkedFor(own).catch(() => true)) since = Date.now();
    if (Date.now() - since > DESERTED_MS) return true;
  }
  return false;
}

function noProcess({ site }: LocalConfig): TandemError {
  return new TandemError('NOT_RUNNING', `no process works for site ${site}, which would compare`, {
    hint: 'start it with tandem run, at both sites',
  });
}

function requestOf(
  config: LocalConfig,
  { sample, pattern, db, repair, dryRun }: VerifyArguments,
): ComparisonRequest {
  const percent = sample === undefined ? undefined : Number(sample.replace(/%$/, ''));
  if (percent !== undefined && !(percent > 0 && percent <= 100))
    throw wrong(`--sample ${sample} is no percentage above 0`);
  const database = db === undefined ? undefined : Number(db);
  if (database !== undefined && !(Number.isInteger(database) && database >= 0))
    throw wrong(`--db ${db} is no number of a database`);
  if (config.prefer !== null && config.prefer !== config.site && config.prefer !== config.peer)
    throw wrong(`--prefer ${config.prefer} is neither ${config.site} nor ${config.peer}`);
  return { sample: percent, pattern, database, repair, dryRun, prefer: config.prefer ?? undefined };
}

function wrong(message: string): TandemError {
  return new TandemError('CONFIG_INVALID', message);
}

/** What the job has noted, in the order of databases and keys. */
async function listed({ redis, keys }: LocalSite, id: string): Promise<ListedDifference[]> {
  const found: ListedDifference[] = [];
  const key = `${keys.differencesPrefix}${id}`;
  let cursor = '0';
  do {
    const [next, fields] = await redis.hscanBuffer(key, cursor, 'COUNT', 1000);
    cursor = next.toString();
    for (let i = 0; i + 1 < fields.length; i += 2) found.push(differenceOf(fields[i]!, fields[i + 1]!));
  } while (cursor !== '0');
  return found.toSorted((a, b) => (a.db ?? -1) - (b.db ?? -1) || (a.key < b.key ? -1 : 1));
}

function differenceOf(field: Buffer, noted: Buffer): ListedDifference {
  const colon = field.indexOf(':');
  const { kind, stays } = parseNoted(noted.toString());
  const database = Number(field.subarray(0, colon).toString());
  return {
    db: database === LIBRARIES_PLACE ? null : database,
    key: textOf(field.subarray(colon + 1)),
    kind,
    ...(stays === undefined ? {} : { stays }),
  };
}

function placeOf(db: number | null): string {
  return db === null ? 'functions' : `db ${db}`;
}

/** Text as it is, anything else as redis-cli shows it. */
function textOf(bytes: Buffer): string {
  const text = bytes.toString('utf8');
  if (Buffer.from(text, 'utf8').equals(bytes)) return text;
  return bytes
    .toString('latin1')
    .replace(/[^\x20-\x7e]/g, (char) => `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`);
}

function tell(
  result: ComparisonResult,
  differences: readonly ListedDifference[],
  { config, args, tookMs }: { config: LocalConfig; args: VerifyArguments; tookMs: number },
): void {
  const isToBeWritten = (args.out !== undefined || !args.json) && differences.length > 0;
  const text = differences.map((one) => `${JSON.stringify(one)}\n`).join('');
  const { file, failures } = isToBeWritten
    ? writeDifferences(text, args.out)
    : { file: undefined, failures: [] };
  if (isToBeWritten && file === undefined)
    console.error(`tandem: the list of keys could not be written: ${failures.join('; ')}`);
  if (args.json) {
    console.log(JSON.stringify({ ...result, differences }));
    return;
  }
  console.log(renderResult(result, { sites: `${config.site} and ${config.peer}`, tookMs }));
  // Without a file this is all there is of the list.
  const shown = isToBeWritten && file === undefined ? differences.length : SHOWN;
  for (const { db, key, kind, stays } of differences.slice(0, shown))
    console.log(`  ${placeOf(db)}  ${kind}  ${stays === undefined ? '' : `${stays}'s stays  `}${key}`);
  if (file !== undefined) console.log(`The keys are listed in ${file}.`);
  if (args.repair && args.dryRun && differences.length > 0) console.log('Nothing was changed: --dry-run.');
}

/** The numbers for a person. */
function renderResult(
  {
    compared,
    equal,
    differing,
    stays,
    repaired,
    undecided,
    excluded,
    notComparable,
    byKind,
  }: ComparisonResult,
  { sites, tookMs }: { sites: string; tookMs: number },
): string {
  const rate = tookMs > 0 ? `, ${grouped((compared * 1000) / tookMs)} keys/s` : '';
  const head = `${counted(compared, 'key')} of ${sites} compared in ${duration(tookMs)}${rate}: ${grouped(equal)} equal`;
  const kinds = Object.entries(byKind)
    .map(([kind, count]) => `${kind} ${grouped(count)}`)
    .join(', ');
  const lines = [
    differing === 0
      ? paint.green(`${head}.`)
      : `${head}, ${paint.red(`${grouped(differing)} different`)} (${kinds}).`,
  ];
  const stayed = Object.entries(stays).map(([site, count]) => `${site}'s for ${grouped(count)}`);
  if (stayed.length > 0) lines.push(`Whose value stays: ${stayed.join(', ')}.`);
  if (repaired > 0)
    lines.push(paint.green(`${grouped(repaired)} of them ${byNumber(repaired, 'is', 'are')} equal now.`));
  if (excluded > 0)
    lines.push(`${counted(excluded, 'key')} ${byNumber(excluded, 'is', 'are')} left out by the other site.`);
  if (notComparable > 0)
    lines.push(
      paint.yellow(
        `${counted(notComparable, 'value of modules')} cannot be compared: ${byNumber(notComparable, 'its', 'their')} dumps differ.`,
      ),
    );
  if (undecided > 0)
    lines.push(
      paint.yellow(
        `${counted(undecided, 'key')} ${byNumber(undecided, 'was', 'were')} written all the time and could not be compared: try again.`,
      ),
    );
  return lines.join('\n');
}
