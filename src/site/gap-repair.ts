/**
 * Begins the repair that is due when changes were missed or forgotten. The gap is noted in Redis: the next process that works begins a
 * repair again that did not come to its end.
 */

import { setTimeout as sleep } from 'node:timers/promises';
import type { Gap } from '../protocol/gap.js';
import type { ControlPlane } from '../jobs/jobs.js';
import type { Logger } from '../log/log.js';
import { answerOf, type Redis } from '../redis/connect.js';
import type { KeyNames } from '../redis/keys.js';
import type { OpenedState } from './history.js';

export interface GapRepairOptions {
  readonly local: Redis;
  readonly keys: KeyNames;
  readonly control: ControlPlane;
  readonly log: Logger;
}

/** Work that must be done some day: it goes on as long as it takes. */
const MANY_ATTEMPTS = 100_000;
/** How often it is looked whether what is due has a job. */
const LOOK_MS = 5000;
/** Kinds of jobs, with the name of the one that is due. */
const JOBS = { 'first-copy': 'first-copy', repair: 'repair-of-cut' } as const;

export class GapRepair {
  readonly #options: GapRepairOptions;
  /** The last gap that is not repaired: whose values count, and when it was found. */
  #open: string | undefined;
  /** Whether Redis has been told of it. */
  #isNoted = false;
  /** Whether the first copy was done, as far as is known: the local server may forget it. */
  #isCopied = false;
  /** Whether the repair is to be begun once more, because the first copy was not done when it began. */
  #isDueAgain = false;
  /** Of the work that goes on now, or did last. */
  #signal: AbortSignal | undefined;

  constructor(options: GapRepairOptions) {
    this.#options = options;
  }

  /** Whether the sites may differ because of a gap. */
  get isOpen(): boolean {
    return this.#open !== undefined;
  }

  /** The gap that is not repaired. */
  get open(): Gap | undefined {
    return this.#open === undefined ? undefined : gapOf(this.#open);
  }

  /** Whether the first copy was done, as far as is known. */
  get isCopied(): boolean {
    return this.#isCopied;
  }

  /** A repair has ended. @param left keys that still differ */
  repaired(left: number): void {
    const { open } = this;
    if (open === undefined) return;
    const lastedMs = Math.max(0, Date.now() - open.foundMs);
    if (left > 0) {
      this.#options.log.warn({ left, lastedMs }, 'the repair of a gap has left keys that differ');
      return;
    }
    this.#options.log.info({ lastedMs }, 'the gap is repaired: the sites hold the same data');
    this.#open = undefined;
    this.#isDueAgain = false;
  }

  /** The first copy is done. A repair that ended earlier left differing keys alone, since it was open whose values stay. */
  copied(): void {
    this.#isCopied = true;
    this.#isDueAgain = this.#open !== undefined;
  }

  /** The peer works with a copy of this site's data: there is nothing to be copied to it. Never rejects. */
  async adopted(): Promise<void> {
    const { local, keys, log } = this.#options;
    this.copied();
    await answerOf(local, local.hset(keys.state, 'copied', 1)).catch((err: unknown) =>
      log.debug({ err }, 'it could not be noted that nothing is to be copied'),
    );
  }

  /**
   * Begins the work that is due when a site goes to work, the first copy and the repair of a gap. Sees to it until the signal aborts.
   * Never rejects.
   */
  async keep(opened: OpenedState, signal: AbortSignal): Promise<void> {
    const { local, keys, log } = this.#options;
    this.#signal = signal;
    // Found before Redis could be told, or before it forgot. At once: the peer is told of it with every answer.
    this.#open ??= opened.repair;
    try {
      this.#isCopied ||= opened.isCopied;
      if (!this.#isCopied) await this.#add('first-copy');
      else if (!opened.isCopied) await answerOf(local, local.hset(keys.state, 'copied', 1));
      if (this.#open !== undefined) await this.#repair(this.#open);
    } catch (err) {
      if (!signal.aborted) log.warn({ err }, 'long work could not be begun; it is tried again');
    }
    while (!signal.aborted) {
      await sleep(LOOK_MS, undefined, { signal }).catch(() => {});
      if (!signal.aborted)
        await this.#look().catch((err: unknown) =>
          log.debug({ err }, 'long work could not be looked for; it is tried again'),
        );
    }
  }

  /** The job of due work may not have been added, or a client may have deleted it. A job that an operator has ended stays so. */
  async #look(): Promise<void> {
    const { local, keys } = this.#options;
    const cut = await answerOf(local, local.hget(keys.state, 'repair'));
    if (!this.#isCopied) await this.#add('first-copy', true);
    if (this.#isDueAgain && this.#open !== undefined) {
      await this.#repair(this.#open);
      this.#isDueAgain = false;
    } else if (cut === null && this.#open !== undefined && !this.#isNoted) await this.#repair(this.#open);
    else if (typeof cut === 'string') await this.#add('repair', true);
  }

  /** A gap was found. @param whose the site whose values count where the sites now differ */
  async found(whose: 'own' | 'peer'): Promise<void> {
    const before = this.open?.kind;
    const reason = before === 'peer' ? 'peer' : whose;
    // Behind the line that says why.
    if (before !== reason)
      queueMicrotask(() =>
        this.#options.log.info(
          { stays: reason },
          'a gap is open: the sites are compared and repaired by themselves',
        ),
      );
    // No two gaps have the same number.
    this.#open = `${reason} ${Math.max(Date.now(), (this.open?.foundMs ?? 0) + 1)}`;
    await this.#repair(this.#open).catch((err: unknown) =>
      this.#options.log.debug({ err }, 'a repair could not be begun; it is tried again'),
    );
  }

  async #repair(cut: string): Promise<void> {
    const { local, keys } = this.#options;
    this.#isNoted = false;
    await answerOf(local, local.hset(keys.state, 'repair', cut));
    this.#isNoted = true;
    await this.#add('repair');
  }

  async #add(kind: keyof typeof JOBS, once = false): Promise<void> {
    const options = { id: JOBS[kind], attempts: MANY_ATTEMPTS, once };
    await this.#options.control.add(kind, {}, options, this.#signal);
  }
}

/** @param noted as it is kept in the field `repair` of the key `state` */
export function gapOf(noted: string): Gap {
  const [kind, foundMs] = noted.split(' ');
  return { kind: kind === 'peer' ? 'peer' : 'own', foundMs: Number(foundMs) };
}
