import { byNumber, counted } from '../counted.js';
import type { Mark, MarkTold } from '../protocol/messages/mark.js';
import type { LocalConfig } from '../config/config.js';
import { TandemError } from '../errors.js';
import { refusalOf, whereOf } from '../redis/connect.js';
import { peerSilence, stallsOf, stallText, standstillsThere } from '../observe/health.js';
import { readStatusKey } from '../observe/status-key.js';
import type { SiteStatus } from '../observe/status.js';
import { Waiting } from '../site/waiting.js';
import { atLocalSite, isWorkedFor, type LocalSite } from './local-site.js';
import { bytes, duration, grouped, paint } from './terminal.js';

export interface WaitArguments {
  /** Also for what was written at the other site. */
  readonly both: boolean;
  readonly timeoutMs: number;
  readonly json: boolean;
}

/** How often it is said what is waited for: on a terminal, and elsewhere, there for the first time after a second. */
const TELL_ON_TERMINAL_MS = 500;
const FIRST_TELL_MS = 1000;
const TELL_MS = 5000;

/**
 * Waits until all that was written at this site by now is applied at the other one; with `both` also until all that was written there
 * by now is applied here. It works whatever is written meanwhile. Resolves with 0, or with 1 when the time is over before.
 * @throws TandemError NOT_RUNNING when no process works for the site at the beginning; WRONG_PAIR, SAME_SITE
 */
export async function wait(config: LocalConfig, args: WaitArguments): Promise<number> {
  return atLocalSite(config, 'wait', async (own) => {
    if (!(await isWorkedFor(own))) throw notRunning(config);
    const startMs = performance.now();
    const waiting = new Waiting({ ...own, both: args.both });
    const missing = (): Promise<string[]> => missingOf(config, own, args.both, waiting.told);
    const line = new Line(!args.json);
    const isDone = await waiting.run({
      endMs: startMs + args.timeoutMs,
      onLook: () => line.show(missing),
    });
    line.clear();
    const waitedMs = performance.now() - startMs;
    const rejected = isDone ? await rejectedThere(own) : 0;
    tell(config, args, { isDone, waitedMs, missing: isDone ? [] : await missing(), rejected });
    return isDone ? 0 : 1;
  });
}

/** What is waited for, in words: one reason each. Never rejects. */
async function missingOf(
  config: LocalConfig,
  own: LocalSite,
  both: boolean,
  told: Mark | undefined,
): Promise<string[]> {
  const { site, peer } = config;
  const { redis, keys } = own;
  try {
    if (!(await isWorkedFor(own))) return [`no process works for site ${site}: start it with tandem run`];
    const status = await readStatusKey(redis, keys.status);
    const first = reasonOf(told?.first, site, peer);
    const second = reasonOf(told?.second, peer, site, both);
    const reasons = [...(status === null ? [] : remaining(status)), ...first, ...second];
    return reasons.length > 0 ? reasons : [`${peer} has not answered yet`];
  } catch (error) {
    return [`the Redis of site ${site} does not answer: ${refusalOf(error, whereOf(redis)).message}`];
  }
}

function reasonOf(told: MarkTold | undefined, site: string, other: string, isWaitedFor = true): string[] {
  if (told === 'c') return [`a gap at ${site} is not repaired: tandem jobs`];
  if (told === 'f' && isWaitedFor)
    return [`what ${site} held before the pair began is not all at ${other}: tandem jobs, at ${site}`];
  return [];
}

/** Why the changes, and the answer to the mark, may not have crossed: the answer goes the other way. */
export function remaining(status: SiteStatus): string[] {
  const { site, peer, outbound, inbound } = status;
  const { changeListBatches: batches, changeListBytes, lagMs } = outbound;
  const found: string[] = [];
  if (batches > 0)
    found.push(
      `${counted(batches, 'batch')} (${bytes(changeListBytes)}) ${byNumber(batches, 'is', 'are')} not applied at ${peer}, the oldest ${duration(lagMs)} old`,
    );
  for (const [link, name] of [
    [outbound, `${site} to ${peer}`],
    [inbound, `${peer} to ${site}`],
  ] as const) {
    if (link.pausedSince !== null)
      found.push(`${name} is paused: tandem resume ${link === outbound ? 'outbound' : 'inbound'}`);
    else if (link.detail !== undefined) found.push(`${name} is ${link.state}: ${link.detail}`);
  }
  if (inbound.inboxBatches > 0)
    found.push(
      `${counted(inbound.inboxBatches, 'batch')} ${byNumber(inbound.inboxBatches, 'is', 'are')} not applied here`,
    );
  const silence = peerSilence(status);
  if (silence !== undefined) found.push(`${silence}: tandem health, at ${peer}`);
  else found.push(...standstillsThere(status));
  for (const { direction, stalledMs } of stallsOf(status))
    found.push(`${direction}: ${stallText(stalledMs)}`);
  return found;
}

function notRunning({ site, pair }: LocalConfig): TandemError {
  return new TandemError('NOT_RUNNING', `no process works for site ${site} of pair ${pair}`, {
    hint: 'start it with tandem run; what was written here meanwhile is sent then',
  });
}

/** Changes of this site's that the other one holds in its list of rejected ones, as far as it has told. Never rejects. */
async function rejectedThere({ redis, keys }: LocalSite): Promise<number> {
  const status = await readStatusKey(redis, keys.status).catch(() => null);
  return status?.other?.rejectedPending ?? 0;
}

interface Waited {
  readonly isDone: boolean;
  readonly waitedMs: number;
  readonly missing: readonly string[];
  readonly rejected: number;
}

function tell(
  { site, peer }: LocalConfig,
  { both, json }: WaitArguments,
  { isDone, waitedMs, missing, rejected }: Waited,
): void {
  if (json)
    console.log(
      JSON.stringify({
        done: isDone,
        both,
        waitedMs: Math.round(waitedMs),
        missing,
        ...(rejected > 0 ? { rejectedThere: rejected } : {}),
      }),
    );
  else if (isDone) {
    const back = both ? `, and all of ${peer} here` : '';
    console.log(
      `All that was written at ${site} is applied at ${peer}${back} (after ${duration(waitedMs)}).`,
    );
    if (rejected > 0)
      console.log(
        `But for what was rejected there, ${grouped(rejected)} in the list: tandem rejected, at ${peer}.`,
      );
  } else {
    console.error(`tandem: not all is applied after ${duration(waitedMs)}`);
    for (const reason of missing) console.error(`  → ${reason}`);
  }
}

/** Says on standard error what is waited for: in one line that is written over on a terminal, else now and then. */
class Line {
  readonly #isOn: boolean;
  readonly #isTerminal = process.stderr.isTTY;
  #nextMs: number;

  constructor(isOn: boolean) {
    this.#isOn = isOn;
    this.#nextMs = performance.now() + (this.#isTerminal ? TELL_ON_TERMINAL_MS : FIRST_TELL_MS);
  }

  async show(reasons: () => Promise<readonly string[]>): Promise<void> {
    if (!this.#isOn || performance.now() < this.#nextMs) return;
    const text = `waiting: ${(await reasons()).join('; ')}`;
    this.#nextMs = performance.now() + (this.#isTerminal ? TELL_ON_TERMINAL_MS : TELL_MS);
    if (!this.#isTerminal) console.error(text);
    else process.stderr.write(`\r\u001B[K${paint.dim(text.slice(0, process.stderr.columns - 1))}`);
  }

  clear(): void {
    if (this.#isOn && this.#isTerminal) process.stderr.write('\r\u001B[K');
  }
}
