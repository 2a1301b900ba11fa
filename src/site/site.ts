/**
 * One site: the lifecycle around {@link Pipeline}. It connects, checks both ends, waits for the lease, works, and when
 * something fails begins again from what Redis holds, with back-off; only what a person must change ends it.
 */

import { setTimeout as sleep } from 'node:timers/promises';
import { Backoff } from '../async/backoff.js';
import { Pipeline } from './pipeline.js';
import { Claims } from '../sync/claims.js';
import type { Config } from '../config/config.js';
import type { Conflict } from '../conflicts/resolved.js';
import { ControlPlane, type Task } from '../jobs/jobs.js';
import { GapRepair } from './gap-repair.js';
import { Lease } from '../lease/lease.js';
import { passesByItself, TandemError } from '../errors.js';
import { LinkedAbort } from '../async/linked-abort.js';
import type { Logger } from '../log/log.js';
import { Trouble } from '../log/trouble.js';
import { SiteEvents } from './site-events.js';
import { StatusOfSite } from './site-status.js';
import { LongWork } from './long-work.js';
import { mendInternalKeys, watchInternalKeys } from './internal-keys-watch.js';
import { PendingRejected } from '../inbound/pending-rejected.js';
import { PeerWord, toldOf } from '../outbound/peer-word.js';
import { answerOf, openClient, whereOf, type Redis } from '../redis/connect.js';
import { keyNames, type KeyNames } from '../redis/keys.js';
import { connectPrimary, followPrimary, untilLost } from '../redis/primary.js';
import { refusalOf } from '../redis/refusal.js';
import { preflight } from '../preflight/preflight.js';
import type { SiteStatus } from '../observe/status.js';
import {
  beginEpoch,
  bringInternalKeysHome,
  heldBy,
  NO_MEMORY,
  openState,
  type Memory,
  type OpenedState,
} from './history.js';

/** Failures of the local side that a new beginning from Redis' state mends. */
const RESTARTABLE = new Set(['STATE_LOST', 'STREAM_GAP', 'EPOCH']);
/** The first errors of a process whose internal keys have gone with a database. */
const KEYS_GONE = new Set(['STATE_LOST', 'FENCED']);
/** After a flush: a database that is emptied without a pause must not keep a processor busy. */
const FLUSHED_PAUSE_MS = 10;
/** How long a start waits for the check of both ends; then the check goes on beside it, and may still end it. */
const CHECK_MS = 1000;
/** It must be back before others take the process for gone. */
const PRESENCE_BACKOFF_MS = 250;
/** A promise of its own each time: one for all would keep what waits for it for as long as the process lives. */
const never = async (): Promise<never> => new Promise(() => {});
/** After this long at work without a failure the next one counts as the first. */
const STEADY_MS = 1000;
/** A new epoch begins without a longer pause, so many times in a row. */
const CUTS = new Set(['STREAM_GAP', 'EPOCH']);
const MAX_CUTS = 8;

export interface SiteOptions {
  readonly config: Config;
  readonly log: Logger;
  /** Long work beside the site's own, by the name of its kind. */
  readonly moreTasks?: Readonly<Record<string, Task>>;
  /** Told of each meeting of concurrent writes. */
  readonly onConflict?: ((conflict: Conflict) => void) | undefined;
}

export class Site {
  readonly #config: Config;
  readonly #log: Logger;
  readonly #keys: KeyNames;
  readonly #local: Redis;
  readonly #peer: Redis;
  readonly #presence: Redis;
  readonly #lease: Lease;
  readonly #longWork: LongWork;
  readonly #control: ControlPlane;
  /** Settles when the control plane has ended. */
  #controlling: Promise<void> = Promise.resolve();
  readonly #cuts: GapRepair;
  readonly #claims: Claims;
  readonly #told: StatusOfSite;
  readonly #word: PeerWord;
  readonly #pending: PendingRejected;
  readonly #events: SiteEvents;
  #active: Pipeline | undefined;
  #memory: Memory = NO_MEMORY;
  /** Names the server's memory that was found last. */
  #runId = '';
  #role: 'active' | 'standby' = 'standby';
  #trouble: TandemError | undefined;
  readonly #failures = new Trouble();
  /** What the checks of the attempts so far have warned of. */
  readonly #warned = new Trouble();
  #isChecked = false;

  constructor({ config, log, moreTasks = {}, onConflict }: SiteOptions) {
    this.#config = config;
    this.#log = log;
    this.#keys = keyNames({ prefix: config.keyPrefix, pair: config.pair });
    const client = (url: string, purpose: string, backoffMaxMs = config.backoffMaxMs): Redis =>
      openClient({
        url,
        tls: config.tls,
        name: `tandem:${config.site}:${purpose}`,
        log,
        connectTimeoutMs: config.connectTimeoutMs,
        commandTimeoutMs: config.commandTimeoutMs,
        backoffMinMs: Math.min(config.backoffMinMs, backoffMaxMs),
        backoffMaxMs,
      });
    this.#local = client(config.localUrl, 'local');
    this.#peer = client(config.peerUrl, 'courier');
    this.#presence = client(config.localUrl, 'lease', PRESENCE_BACKOFF_MS);
    const parts = { config, keys: this.#keys, log };
    this.#lease = new Lease({
      ...parts,
      client: this.#local,
      leaseMs: config.leaseMs,
      presence: this.#presence,
    });
    this.#claims = new Claims({ ...parts, local: this.#local });
    this.#longWork = new LongWork({
      ...parts,
      claims: this.#claims,
      peer: this.#peer,
    });
    this.#control = new ControlPlane({ ...parts, tasks: { ...this.#longWork.tasks, ...moreTasks } });
    this.#cuts = new GapRepair({ ...parts, local: this.#local, control: this.#control });
    this.#told = new StatusOfSite({ config, log, onConflict });
    this.#pending = new PendingRejected(this.#local, this.#keys.rejected);
    this.#word = new PeerWord({
      ...config,
      keys: this.#keys,
      client: this.#peer,
      tells: () => this.#active?.capture && toldOf(this.status(), this.#active.list),
    });
    this.#events = new SiteEvents({
      told: this.#told,
      gaps: this.#cuts,
      longWork: this.#longWork,
      word: this.#word,
    });
  }

  /** Works until the signal aborts. @throws TandemError for what a person must change */
  async run(signal: AbortSignal): Promise<void> {
    const { backoffMinMs: minMs, backoffMaxMs: maxMs } = this.#config;
    const backoff = new Backoff({ minMs, maxMs });
    let cuts = 0;
    const leaving = new Trouble();
    void followPrimary(this.#peer, signal, ({ message: detail }) => {
      const lasting = leaving.met(detail);
      if (lasting)
        this.#log.warn({ detail, ...lasting }, 'leaving a server of the peer that is its primary no longer');
    });
    void followPrimary(this.#presence, signal);
    try {
      while (!signal.aborted) {
        const began = performance.now();
        try {
          await this.#once(signal);
        } catch (caught) {
          if (signal.aborted) break;
          // A client's own error about a lost connection is no reason to end.
          const error = refusalOf(caught, whereOf(this.#local));
          if (!(passesByItself(error) || RESTARTABLE.has(error.code))) throw error;
          // A flush is no failure, however often it comes: what is gone with it is made again at once.
          const isFlushed = await this.#isFlushed(error);
          const wasSteady = performance.now() - began > STEADY_MS;
          // Nothing is wrong with a server that has begun a new history: the work goes on in it at once.
          const isCut = CUTS.has(error.code) && (wasSteady || cuts < MAX_CUTS);
          cuts = isCut && !wasSteady ? cuts + 1 : 0;
          if (!isFlushed && (wasSteady || isCut)) backoff.succeeded();
          this.#trouble = error;
          // A socket without answers may stay open for a quarter of an hour: a new one is better.
          if (error.code === 'TIMEOUT' && this.#local.status === 'ready') this.#local.disconnect(true);
          const pauseMs = isFlushed ? FLUSHED_PAUSE_MS : backoff.failed();
          this.#tellFailure(error, pauseMs);
          await sleep(pauseMs, undefined, { signal }).catch(() => {});
        }
      }
    } finally {
      this.#told.close();
      // With the lease, so that the next process finds the jobs put back.
      await this.#controlling;
      await this.#lease.release().catch(() => {});
      this.#local.disconnect();
      this.#peer.disconnect();
      this.#presence.disconnect();
    }
  }

  #tellFailure({ code, message, hint, details }: TandemError, pauseMs: number): void {
    const lasting = this.#failures.met(`${code} ${message}`);
    const fields = { reason: code, detail: message, hint, details, pauseMs, ...lasting };
    if (lasting) this.#log.warn(fields, 'work at the local Redis failed: beginning again');
    else this.#log.debug(fields, 'work at the local Redis still fails: beginning again');
  }

  /** Whether the work has ended because all internal keys are gone: a client has emptied their database. */
  async #isFlushed({ code }: TandemError): Promise<boolean> {
    if (!KEYS_GONE.has(code) || this.#local.status !== 'ready') return false;
    const { state, applied, received, site } = this.#keys;
    try {
      return (await answerOf(this.#local, this.#local.exists(state, applied, received, site))) === 0;
    } catch {
      return false;
    }
  }

  get #parts(): { config: Config; keys: KeyNames; local: Redis; peer: Redis; log: Logger } {
    return {
      config: this.#config,
      keys: this.#keys,
      local: this.#local,
      peer: this.#peer,
      log: this.#log,
    };
  }

  /** From the connection to the first failure. */
  async #once(signal: AbortSignal): Promise<void> {
    const { config, local, peer, log } = this.#parts;
    const stop = new LinkedAbort(signal);
    let work: Promise<void> | undefined;
    try {
      // Once: what a check warns of need not be said again at every new beginning.
      const checking = this.#isChecked
        ? never()
        : preflight({ config, local, peer, log, signal: stop.signal, warned: this.#warned });
      checking.then(
        () => (this.#isChecked ||= !stop.signal.aborted),
        () => {},
      );
      // A peer that does not answer must not keep this site from its own stream, which it may lose meanwhile.
      if (!this.#isChecked) {
        const patience = sleep(CHECK_MS, undefined, { signal: stop.signal, ref: false });
        patience.catch(() => {});
        await Promise.race([checking, patience]);
      }
      await connectPrimary(local, stop.signal);
      work = this.#work(checking, stop.signal);
      // A client that connects anew may be at another server than the one the lease was taken at.
      await Promise.race([work, untilLost(local, stop.signal)]);
    } finally {
      // Also of the check and the wait for it: each attempt would leave them behind.
      stop.abort();
      await work?.catch(() => {});
    }
  }

  /** With a connection: waits for the lease, and works. */
  async #work(checking: Promise<void>, signal: AbortSignal): Promise<void> {
    const { config, keys, local, log } = this.#parts;
    let waiting = false;
    const token = await this.#lease.acquire(signal, () => {
      if (!waiting) log.info('standby: another process works for this site, waiting for its lease');
      waiting = true;
      this.#role = 'standby';
    });
    await bringInternalKeysHome(local, keys, token);
    const own = { local, keys, token, pair: config.pair, site: config.site };
    await mendInternalKeys({ ...own, log });
    await this.#expectNothingForgotten();
    const opened = await openState({ local, keys, token, config, memory: this.#memory });
    signal.throwIfAborted();
    this.#role = 'active';
    this.#trouble = undefined;
    log.info({ token, ...this.#failures.over() }, 'active: this process works for the site');
    const active = this.#create(token, opened);
    this.#told.ended(this.#active);
    this.#active = active;
    const stop = new LinkedAbort(signal);
    const keeping = this.#lease.keep(stop.signal);
    const watching = watchInternalKeys(own, stop.signal);
    const running = active.run(stop.signal);
    // Beside it: no failure there ends this, and a new beginning does not wait for it.
    this.#controlling = this.#control.run(stop.signal, token, active.reading);
    void this.#cuts.keep(opened, stop.signal);
    void this.#word.keep(stop.signal);
    void this.#pending.keep(stop.signal);
    try {
      await Promise.race([running, keeping, watching, checking.then(never)]);
    } catch (error) {
      stop.abort();
      await running.catch(() => {});
      await this.#newEpochIfNeeded(error, token, opened);
      throw error;
    } finally {
      stop.abort();
      await Promise.allSettled([running, keeping, watching]);
      this.#longWork.detach();
      this.#remember(active, opened.epoch);
    }
  }

  /** A server that was started anew may have come back with older data. Who knows that best is the process that has lived on. */
  async #expectNothingForgotten(): Promise<void> {
    const { local, keys, log } = this.#parts;
    const { runId, last, applied } = await heldBy(local, keys);
    const { last: madeHere, applied: appliedHere } = this.#memory;
    const hasRestarted = this.#runId !== '' && this.#runId !== runId;
    this.#runId = runId;
    if (!hasRestarted || (last >= madeHere && applied >= appliedHere.sequence)) return;
    this.#events.gap('peer');
    log.error(
      { last, madeHere, applied, appliedHere: appliedHere.sequence },
      "this site's Redis has come back with older data: the sites must be compared",
    );
  }

  #create(token: number, opened: OpenedState): Pipeline {
    const active = new Pipeline({
      config: this.#config,
      log: this.#log,
      keys: this.#keys,
      local: this.#local,
      peer: this.#peer,
      token,
      opened,
      memory: this.#memory,
      events: this.#events,
      claims: this.#claims,
      gaps: this.#cuts,
      longWork: this.#longWork,
    });
    this.#longWork.attach(opened, active, this.#cuts);
    return active;
  }

  /**
   * The peer knows more of this site's history than its Redis does: the history goes on in a new epoch. As long as nothing of this
   * session was sent, it begins where this session began, and what this session has numbered is numbered anew.
   */
  async #newEpochIfNeeded(error: unknown, token: number, opened: OpenedState): Promise<void> {
    if (!(error instanceof TandemError) || error.code !== 'EPOCH') return;
    const { epoch, received } = (error.details ?? {}) as { epoch?: number; received?: number };
    const { list, courier, clock, start } = this.#active!;
    const position = courier.hasSent ? list.saved : start;
    if (epoch === undefined || received === undefined || position === undefined) return;
    this.#events.gap('peer');
    this.#log.error(
      { epoch, received },
      "this site's Redis has lost writes that the peer has: a new epoch begins, the sites must be compared",
    );
    await beginEpoch({
      local: this.#local,
      keys: this.#keys,
      token,
      epoch: Math.max(epoch, opened.epoch),
      next: list.appendedThrough + 1,
      received,
      position,
      clock: clock.last,
      last: courier.hasSent ? list.last : opened.last,
      ...(courier.hasSent ? {} : { dropped: list.appendedHere }),
    });
  }

  /** Remembers the state that was saved: all of it must be of one moment. */
  #remember(active: Pipeline, epoch: number): void {
    const { applied, list, clock } = active;
    if (list.saved === undefined) return;
    this.#memory = {
      epoch,
      next: list.appendedThrough + 1,
      last: list.last,
      trimmed: list.trimmed,
      bytes: list.bytes,
      position: list.saved,
      readThrough: active.readThrough,
      applied,
      noted: active.notedThrough,
      overwritten: active.overwritten.kept(list.appendedThrough + 1),
      clock: clock.last,
    };
  }

  /** The status of this process, at any time. */
  status(): SiteStatus {
    return this.#told.status({
      active: this.#active,
      role: this.#role,
      trouble: this.#trouble,
      isCut: this.#cuts.isOpen,
      word: this.#word,
      rejectedPending: this.#pending.count,
      copyFailure: this.#longWork.copyFailure.code,
      lastComparison: this.#longWork.lastComparison.found,
      jobs: this.#control.status,
    });
  }
}
