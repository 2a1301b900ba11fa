/** A site in a program of somebody else's: it prints nothing, ends no process and hears no signal of one. */

import { EventEmitter } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { LinkedAbort } from '../async/linked-abort.js';
import type { Config } from '../config/config.js';
import type { Conflict } from '../conflicts/resolved.js';
import { TandemError } from '../errors.js';
import type { Logger } from '../log/log.js';
import { readinessProblems } from '../observe/health.js';
import { renderMetrics } from '../observe/metrics.js';
import { startReport } from '../observe/report.js';
import type { SiteStatus } from '../observe/status.js';
import { wallMs } from '../protocol/clock.js';
import { refusalOf, whereOf, type Redis } from '../redis/connect.js';
import { keyNames } from '../redis/keys.js';
import { Site } from '../site/site.js';
import { keepStatus, tellingConnection } from '../site/telling.js';
import { Waiting } from '../site/waiting.js';
import type { Patience, RunningSite, SiteEvents, SiteState } from './running-site.js';

/** How often it is looked for what the events tell of. */
const LOOK_MS = 50;
const PATIENCE_MS = 30_000;

export class EmbeddedSite implements RunningSite {
  readonly ended: Promise<void>;
  readonly #config: Config;
  readonly #site: Site;
  readonly #telling: Redis;
  readonly #stop = new AbortController();
  readonly #events = new EventEmitter();
  #state: SiteState = 'standby';
  #gaps = 0;
  #isGapOpen = false;

  constructor({ config, log }: { config: Config; log: Logger }) {
    this.#config = config;
    this.#site = new Site({ config, log, onConflict: (conflict) => this.#tellConflict(conflict) });
    this.#telling = tellingConnection(config, log);
    this.ended = this.#run(log);
    // A program that does not ask how the site ended must not crash for it.
    this.ended.catch(() => {});
  }

  get state(): SiteState {
    return this.#state;
  }

  on<E extends keyof SiteEvents>(event: E, listener: (...args: SiteEvents[E]) => void): this {
    this.#events.on(event, listener);
    return this;
  }

  off<E extends keyof SiteEvents>(event: E, listener: (...args: SiteEvents[E]) => void): this {
    this.#events.off(event, listener);
    return this;
  }

  status(): SiteStatus {
    return this.#site.status();
  }

  reasons(): string[] {
    return this.#state === 'ended' ? ['the site has ended'] : readinessProblems(this.status());
  }

  metrics(): string {
    return renderMetrics(this.status());
  }

  async untilReady({ timeoutMs = PATIENCE_MS, signal }: Patience = {}): Promise<void> {
    const endMs = performance.now() + timeoutMs;
    const isReady = await this.#until(() => this.#look() === 'ready', endMs, signal);
    if (!isReady) throw this.#late('is not ready', timeoutMs);
  }

  async untilApplied({
    both = false,
    timeoutMs = PATIENCE_MS,
    signal,
  }: Patience & { both?: boolean | undefined } = {}): Promise<void> {
    const endMs = performance.now() + timeoutMs;
    // A mark that nobody reads would be sent again after seconds.
    const isReading = await this.#until(() => this.status().capture.state === 'streaming', endMs, signal);
    if (isReading && (await this.#isApplied(both, endMs, signal))) return;
    throw this.#late(`has changes that are not applied at ${this.#config.peer}`, timeoutMs);
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.ended.catch(() => {});
  }

  async #run(log: Logger): Promise<void> {
    const { signal } = this.#stop;
    const status = (): SiteStatus => this.status();
    const stopReport = startReport({ status, log, intervalMs: this.#config.statusIntervalMs });
    const looking = setInterval(() => this.#look(), LOOK_MS).unref();
    const told = keepStatus({ config: this.#config, status, telling: this.#telling, signal });
    let failure: TandemError | undefined;
    try {
      await this.#site.run(signal);
    } catch (error) {
      failure = asTandemError(error);
    }
    this.#stop.abort();
    clearInterval(looking);
    stopReport();
    await told.catch(() => {});
    this.#telling.disconnect();
    this.#enter('ended', failure === undefined ? [] : [failure.message]);
    if (failure !== undefined) throw failure;
  }

  /** Looks until it holds, and gives whether it did before the end. */
  async #until(holds: () => boolean, endMs: number, signal: AbortSignal | undefined): Promise<boolean> {
    for (;;) {
      await this.#expectGoing(signal);
      if (holds()) return true;
      const leftMs = endMs - performance.now();
      if (leftMs <= 0) return false;
      await sleep(Math.min(LOOK_MS, leftMs), undefined, { signal }).catch(() => {});
    }
  }

  async #isApplied(both: boolean, endMs: number, signal: AbortSignal | undefined): Promise<boolean> {
    const keys = keyNames({ prefix: this.#config.keyPrefix, pair: this.#config.pair });
    const waiting = new Waiting({ redis: this.#telling, keys, both });
    const stop = new LinkedAbort(this.#stop.signal, ...(signal === undefined ? [] : [signal]));
    try {
      return await waiting.run({ endMs, signal: stop.signal });
    } catch (error) {
      await this.#expectGoing(signal);
      throw refusalOf(error, whereOf(this.#telling));
    } finally {
      stop.abort();
    }
  }

  /** Tells what is another than before. */
  #look(): SiteState {
    if (this.#stop.signal.aborted) return this.#state;
    const status = this.status();
    const reasons = readinessProblems(status);
    const impeded = status.role === 'active' ? 'impeded' : 'standby';
    this.#enter(reasons.length === 0 ? 'ready' : impeded, reasons);
    const { gaps } = status.capture;
    // One may have come and gone between two looks.
    if ((gaps > this.#gaps || status.gap) && !this.#isGapOpen) this.#tellGap(true);
    if (!status.gap && this.#isGapOpen) this.#tellGap(false);
    this.#gaps = gaps;
    return this.#state;
  }

  #enter(state: SiteState, reasons: readonly string[]): void {
    if (state === this.#state) return;
    this.#state = state;
    this.#tell('state', state, reasons);
  }

  #tellGap(isOpen: boolean): void {
    this.#isGapOpen = isOpen;
    this.#tell('gap', isOpen);
  }

  #tellConflict({ command, outcome, database, key, theirTimestamp, ownTimestamp }: Conflict): void {
    if (this.#events.listenerCount('conflict') === 0) return;
    this.#tell('conflict', {
      command,
      outcome,
      database,
      // The bytes are a part of a batch, which would be kept for them.
      key: Buffer.from(key),
      theirTime: new Date(wallMs(theirTimestamp)),
      ownTime: new Date(wallMs(ownTimestamp)),
    });
  }

  /** Later, so that a listener that throws ends no work of the site's: that is the program's own mistake, and Node tells it so. */
  #tell<E extends keyof SiteEvents>(event: E, ...args: SiteEvents[E]): void {
    queueMicrotask(() => this.#events.emit(event, ...args));
  }

  /** @throws TandemError when it has ended or is about to, or whoever asks has had enough */
  async #expectGoing(signal: AbortSignal | undefined): Promise<void> {
    const { site } = this.#config;
    if (this.#stop.signal.aborted) {
      await this.ended;
      throw new TandemError('CLOSED', `site ${site} was stopped`);
    }
    if (signal?.aborted === true) throw new TandemError('CLOSED', `waiting for site ${site} was given up`);
  }

  #late(what: string, timeoutMs: number): TandemError {
    const reasons = this.reasons();
    return new TandemError(
      'TIMEOUT',
      `site ${this.#config.site} ${what} after ${timeoutMs} ms${reasons.map((reason) => `; ${reason}`).join('')}`,
      { hint: 'reasons() and status() of the site say more' },
    );
  }
}

function asTandemError(error: unknown): TandemError {
  if (error instanceof TandemError) return error;
  return new TandemError('INTERNAL', 'the site has ended by an error that nobody expected', { cause: error });
}
