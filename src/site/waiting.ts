/** Waits for what was written at a site: marks go through its stream to the other site, and come back behind it. */

import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { WAITS_MS } from '../conflicts/marks.js';
import { encodeMark, isSettled, type Mark, type MarkTold } from '../protocol/messages/mark.js';
import { passesByItself } from '../errors.js';
import { runScript } from '../lua/scripts.js';
import { answerOf, refusalOf, whereOf, type Redis } from '../redis/connect.js';
import type { KeyNames } from '../redis/keys.js';

/** How often it is looked whether a mark is back. */
const LOOK_MS = 20;
/** When another mark is sent, in case the one before is lost with the history of one of the sites; the pause doubles. */
const MARK_MS = 2000;
const MAX_MARK_MS = 60_000;
/** Marks of one wait that are looked for: the newest. */
const MAX_MARKS = 20;

export interface WaitingOptions {
  /** A connection to the site's own Redis. */
  readonly redis: Redis;
  readonly keys: KeyNames;
  /** Also for what was written at the other site. */
  readonly both: boolean;
}

export interface WaitingLimits {
  /** By the clock of `performance`. */
  readonly endMs: number;
  /** Before each pause between two looks. */
  readonly onLook?: () => Promise<void>;
  readonly signal?: AbortSignal | undefined;
}

export class Waiting {
  readonly #redis: Redis;
  readonly #keys: KeyNames;
  readonly #both: boolean;
  /** Names of the marks that were sent, the newest last. */
  readonly #sessions: string[] = [];
  #told: Mark | undefined;

  constructor({ redis, keys, both }: WaitingOptions) {
    this.#redis = redis;
    this.#keys = keys;
    this.#both = both;
  }

  /** What the last mark has told that has come back. */
  get told(): Mark | undefined {
    return this.#told;
  }

  /** Resolves with whether all has arrived before the end. @throws TandemError what does not pass; what `onLook` throws */
  async run({ endMs, onLook, signal }: WaitingLimits): Promise<boolean> {
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
        if (!passesByItself(refusalOf(error, whereOf(this.#redis)))) throw error;
      }
      await onLook?.();
      await sleep(Math.max(1, Math.min(LOOK_MS, endMs - performance.now())), undefined, { signal });
    }
    return this.#isDone().catch(() => false);
  }

  async #send(): Promise<void> {
    const session = randomUUID();
    const mark = encodeMark({ session, number: 0, first: '-', second: '-' });
    await runScript(
      this.#redis,
      'send-mark',
      [this.#keys.waits, this.#keys.out],
      [session, '', WAITS_MS, 1, mark],
    );
    this.#sessions.push(session);
    if (this.#sessions.length > MAX_MARKS) this.#sessions.shift();
  }

  async #isDone(): Promise<boolean> {
    if (this.#sessions.length === 0) return false;
    const { waits } = this.#keys;
    const told = await answerOf(this.#redis, this.#redis.hmget(waits, ...this.#sessions));
    const marks = told.flatMap((text) => (text === null || text === '' ? [] : [markOf(text)]));
    this.#told = marks.at(-1) ?? this.#told;
    if (!marks.some((mark) => this.#isEnough(mark))) return false;
    await answerOf(this.#redis, this.#redis.hdel(waits, ...this.#sessions));
    return true;
  }

  #isEnough(mark: Mark): boolean {
    if (!isSettled(mark) || mark.first === 'c' || mark.second === 'c' || mark.first === 'f') return false;
    return !(this.#both && mark.second === 'f');
  }
}

/** @param text as send-mark.lua has it from `answerToMark` */
function markOf(text: string): Mark {
  const [number, first, second] = text.split(' ');
  return { session: '', number: Number(number), first: first as MarkTold, second: second as MarkTold };
}
