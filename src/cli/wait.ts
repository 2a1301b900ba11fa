import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { WAITS_MS } from '../conflicts/marks.js';
import { encodeMark, isSettled, type Mark, type MarkTold } from '../protocol/messages/marks.js';
import type { LocalConfig } from '../config/config.js';
import { passesByItself, TandemError } from '../errors.js';
import { runScript } from '../lua/scripts.js';
import { answerOf, refusalOf, whereOf } from '../redis/connect.js';
import { readStatusKey } from '../observe/status-key.js';
import type { SiteStatus } from '../observe/status.js';
import { expectOwnRegistration } from './expect-local-registration.js';
import { atLocalSite, isWorkedFor, type LocalSite } from './local-site.js';
import { bytes, duration, grouped, paint } from './terminal.js';

export interface WaitArguments {
  /** Also for what was written at the other site. */
  readonly both: boolean;
  readonly timeoutMs: number;
  readonly json: boolean;
}

/** How often it is looked whether a mark is back. */
const LOOK_MS = 20;
/** How often it is said what is waited for: on a terminal, and elsewhere, there for the first time after a second. */
const TELL_ON_TERMINAL_MS = 500;
const FIRST_TELL_MS = 1000;
const TELL_MS = 5000;
/** When another mark is sent, in case the one before is lost with the history of one of the sites; the pause doubles. */
const MARK_MS = 2000;
const MAX_MARK_MS = 60_000;
/** Marks of one wait that are looked for: the newest. */
const MAX_MARKS = 20;

/**
 * Waits until all that was written at this site by now is applied at the other one; with `both` also until all that was written there
 * by now is applied here. It works whatever is written meanwhile. Resolves with 0, or with 1 when the time is over before.
 * @throws TandemError NOT_RUNNING when no process works for the site at the beginning; WRONG_PAIR, SAME_SITE
 */
export async function wait(config: LocalConfig, args: WaitArguments): Promise<number> {
  return atLocalSite(config, 'wait', async (own) => {
    if (!(await isWorkedFor(own))) {
      await expectOwnRegistration(own, config);
      throw notRunning(config);
    }
    const startMs = performance.now();
    const waiting = new Waiting(config, own, args);
    const line = new Line(!args.json);
    const isDone = await waiting.run(line, startMs + args.timeoutMs);
    line.clear();
    tell(config, args, { isDone, waitedMs: performance.now() - startMs, missing: await waiting.missing() });
    return isDone ? 0 : 1;
  });
}

class Waiting {
  readonly #config: LocalConfig;
  readonly #own: LocalSite;
  readonly #both: boolean;
  /** Names of the marks that were sent, the newest last. */
  readonly #sessions: string[] = [];
  /** What the last mark has told that has come back. */
  #told: Mark | undefined;

  constructor(config: LocalConfig, own: LocalSite, { both }: WaitArguments) {
    this.#config = config;
    this.#own = own;
    this.#both = both;
  }

  /** Resolves with whether all has arrived before `endMs`, by the clock of `performance`. */
  async run(line: Line, endMs: number): Promise<boolean> {
    let pauseMs = MARK_MS;
    let markAtMs = -Infinity;
    while (performance.now() < endMs) {
      try {
        if (performance.now() >= markAtMs) {
          await this.#send();
          markAtMs = performance.now() + pauseMs;
          pauseMs = Math.min(pauseMs * 2, MAX_MARK_MS);
        }
        if (await this.#isDone()) return true;
      } catch (error) {
        // A server that is started anew, or another primary, is waited for as well.
        if (!passesByItself(refusalOf(error, whereOf(this.#own.redis)))) throw error;
      }
      await line.show(() => this.missing());
      await sleep(Math.max(1, Math.min(LOOK_MS, endMs - performance.now())));
    }
    return this.#isDone().catch(() => false);
  }

  async #send(): Promise<void> {
    const { redis, keys } = this.#own;
    const session = randomUUID();
    const mark = encodeMark({ session, number: 0, first: '-', second: '-' });
    await runScript(redis, 'send-mark', [keys.waits, keys.out], [session, '', WAITS_MS, 1, mark]);
    this.#sessions.push(session);
    if (this.#sessions.length > MAX_MARKS) this.#sessions.shift();
  }

  async #isDone(): Promise<boolean> {
    const { redis, keys } = this.#own;
    if (this.#sessions.length === 0) return false;
    const told = await answerOf(redis, redis.hmget(keys.waits, ...this.#sessions));
    const marks = told.flatMap((text) => (text === null || text === '' ? [] : [markOf(text)]));
    this.#told = marks.at(-1) ?? this.#told;
    if (!marks.some((mark) => this.#isEnough(mark))) return false;
    await answerOf(redis, redis.hdel(keys.waits, ...this.#sessions));
    return true;
  }

  #isEnough(mark: Mark): boolean {
    if (!isSettled(mark) || mark.first === 'c' || mark.second === 'c' || mark.first === 'f') return false;
    return !(this.#both && mark.second === 'f');
  }

  /** What is waited for, in words: one reason each. Never rejects. */
  async missing(): Promise<string[]> {
    const { site, peer } = this.#config;
    const { redis, keys } = this.#own;
    try {
      if (!(await isWorkedFor(this.#own)))
        return [`no process works for site ${site}: start it with tandem run`];
      const status = await readStatusKey(redis, keys.status);
      const first = reasonOf(this.#told?.first, site, peer);
      const second = reasonOf(this.#told?.second, peer, site, this.#both);
      return [...(status === null ? [] : remaining(status)), ...first, ...second];
    } catch (error) {
      return [`the Redis of site ${site} does not answer: ${refusalOf(error, whereOf(redis)).message}`];
    }
  }
}

/** @param text as send-mark.lua has it from `answerToMark` */
function markOf(text: string): Mark {
  const [number, first, second] = text.split(' ');
  return { session: '', number: Number(number), first: first as MarkTold, second: second as MarkTold };
}

function reasonOf(told: MarkTold | undefined, site: string, other: string, isWaitedFor = true): string[] {
  if (told === 'c') return [`a gap at ${site} is not repaired: tandem jobs`];
  if (told === 'f' && isWaitedFor)
    return [`what ${site} held before the pair began is not all at ${other}: tandem jobs, at ${site}`];
  return [];
}

function remaining({ site, peer, outbound, inbound }: SiteStatus): string[] {
  const { changeListBatches: batches, changeListBytes, lagMs } = outbound;
  const found: string[] = [];
  if (batches > 0)
    found.push(
      `${grouped(batches)} batches (${bytes(changeListBytes)}) are not applied at ${peer}, the oldest of them ${duration(lagMs)} old`,
    );
  for (const [link, name] of [
    [outbound, `${site} to ${peer}`],
    [inbound, `${peer} to ${site}`],
  ] as const) {
    if (link.pausedSince !== null)
      found.push(`${name} is paused: tandem resume ${link === outbound ? 'outbound' : 'inbound'}`);
    else if (link.detail !== undefined) found.push(`${name} is ${link.state}: ${link.detail}`);
  }
  if (inbound.inboxBatches > 0) found.push(`${grouped(inbound.inboxBatches)} batches are not applied here`);
  return found.length > 0 ? found : [`${peer} has not answered yet`];
}

function notRunning({ site, pair }: LocalConfig): TandemError {
  return new TandemError('NOT_RUNNING', `no process works for site ${site} of pair ${pair}`, {
    hint: 'start it with tandem run; what was written here meanwhile is sent then',
  });
}

function tell(
  { site, peer }: LocalConfig,
  { both, json }: WaitArguments,
  { isDone, waitedMs, missing }: { isDone: boolean; waitedMs: number; missing: readonly string[] },
): void {
  if (json)
    console.log(
      JSON.stringify({ done: isDone, both, waitedMs: Math.round(waitedMs), missing: isDone ? [] : missing }),
    );
  else if (isDone) {
    const back = both ? `, and all of ${peer} here` : '';
    console.log(
      `All that was written at ${site} is applied at ${peer}${back} (after ${duration(waitedMs)}).`,
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
