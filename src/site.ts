/**
 * One site: the lifecycle around {@link ActiveSite}. It connects, checks both ends, waits for the lease, works, and when
 * something fails begins again from what Redis holds, with back-off; only what a person must change ends it.
 */

import { setTimeout as sleep } from 'node:timers/promises';
import { ActiveSite } from './active-site.js';
import type { Conflict } from './apply/decider.js';
import { wallMs } from './change/clock.js';
import type { Config } from './config.js';
import { Lease } from './control/lease.js';
import { passesByItself, TandemError } from './errors.js';
import { LinkedAbort } from './linked-abort.js';
import type { Logger } from './log.js';
import {
  backoffDelayMs,
  connectClient,
  followPrimary,
  openClient,
  untilLost,
  whereOf,
  type Redis,
} from './redis/connect.js';
import { keyNames, type KeyNames } from './redis/keys.js';
import { refusalOf } from './redis/refusal.js';
import { preflight } from './service/preflight.js';
import { Rate } from './service/rate.js';
import type { LinkState, SiteStatus } from './service/status.js';
import {
  beginEpoch,
  findOwnKeys,
  NO_MEMORY,
  openState,
  type Memory,
  type OpenedState,
} from './site-state.js';
import { VERSION } from './version.js';

/** Failures of the local side that a new beginning from Redis' state mends. */
const RESTARTABLE = new Set(['STATE_LOST', 'STREAM_GAP', 'EPOCH']);
/** How long a start waits for the check of both ends; then the check goes on beside it, and may still end it. */
const CHECK_MS = 1000;
const NEVER = new Promise<never>(() => {});
/** After this long at work without a failure the next one counts as the first. */
const STEADY_MS = 10_000;

export class Site {
  readonly #config: Config;
  readonly #log: Logger;
  readonly #keys: KeyNames;
  readonly #local: Redis;
  readonly #peer: Redis;
  readonly #lease: Lease;
  readonly #startedAt = Date.now();
  readonly #conflicts: Record<string, number> = {};
  readonly #skipped: Record<string, number> = {};
  /** What was counted before the last new beginning: counters of a process only rise. */
  #before = { sent: NOTHING, applied: NOTHING, rejected: 0, late: 0 };
  readonly #sendRate = new Rate();
  readonly #applyRate = new Rate();
  #active: ActiveSite | undefined;
  #memory: Memory = NO_MEMORY;
  #role: 'active' | 'standby' = 'standby';
  #trouble: TandemError | undefined;
  #gaps = 0;
  #isChecked = false;

  constructor({ config, log }: { config: Config; log: Logger }) {
    this.#config = config;
    this.#log = log;
    this.#keys = keyNames({ prefix: config.keyPrefix, pair: config.pair });
    const client = (url: string, purpose: string): Redis =>
      openClient({
        url,
        tls: config.tls,
        name: `tandem:${config.site}:${purpose}`,
        log,
        connectTimeoutMs: config.connectTimeoutMs,
        commandTimeoutMs: config.commandTimeoutMs,
        backoffMinMs: config.backoffMinMs,
        backoffMaxMs: config.backoffMaxMs,
      });
    this.#local = client(config.localUrl, 'local');
    this.#peer = client(config.peerUrl, 'courier');
    this.#lease = new Lease({ client: this.#local, keys: this.#keys, leaseMs: config.leaseMs, log });
  }

  /** Works until the signal aborts. @throws TandemError for what a person must change */
  async run(signal: AbortSignal): Promise<void> {
    let attempt = 0;
    void followPrimary(this.#peer, signal);
    try {
      while (!signal.aborted) {
        const began = Date.now();
        try {
          await this.#once(signal);
        } catch (caught) {
          if (signal.aborted) break;
          // A client's own error about a lost connection is no reason to end.
          const error = refusalOf(caught, whereOf(this.#local));
          if (!(passesByItself(error) || RESTARTABLE.has(error.code))) throw error;
          attempt = Date.now() - began > STEADY_MS ? 1 : attempt + 1;
          this.#trouble = error;
          // A socket nobody answers on may stay open for a quarter of an hour: a new one is better.
          if (error.code === 'TIMEOUT' && this.#local.status === 'ready') this.#local.disconnect(true);
          const pauseMs = backoffDelayMs({
            attempt,
            minMs: this.#config.backoffMinMs,
            maxMs: this.#config.backoffMaxMs,
          });
          this.#log.warn(
            { reason: error.code, detail: error.message, hint: error.hint, details: error.details, pauseMs },
            'beginning again',
          );
          await sleep(pauseMs, undefined, { signal }).catch(() => {});
        }
      }
    } finally {
      await this.#lease.release().catch(() => {});
      this.#local.disconnect();
      this.#peer.disconnect();
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
    // Once: what a check warns of need not be said again at every new beginning.
    const checking = this.#isChecked ? NEVER : preflight({ config, local, peer, log });
    checking.then(
      () => (this.#isChecked = true),
      () => {},
    );
    // A peer that does not answer must not keep this site from its own stream, which it may lose meanwhile.
    if (!this.#isChecked) await Promise.race([checking, sleep(CHECK_MS, undefined, { signal, ref: false })]);
    await connectClient(local, signal);
    const stop = new LinkedAbort(signal);
    const work = this.#work(checking, stop.signal);
    try {
      // A client that connects anew may be at another server than the one the lease was taken at.
      await Promise.race([work, untilLost(local, stop.signal)]);
    } finally {
      stop.abort();
      await work.catch(() => {});
    }
  }

  /** With a connection: waits for the lease, and works. */
  async #work(checking: Promise<void>, signal: AbortSignal): Promise<void> {
    const { config, keys, local, peer, log } = this.#parts;
    let waiting = false;
    const token = await this.#lease.acquire(signal, () => {
      if (!waiting)
        log.info(
          { site: config.site },
          'standby: another process works for this site, waiting for its lease',
        );
      waiting = true;
      this.#role = 'standby';
    });
    await findOwnKeys(local, keys, token);
    const opened = await openState({ local, keys, token, config, memory: this.#memory });
    this.#role = 'active';
    this.#trouble = undefined;
    log.info({ token }, 'active: this process works for the site');
    const active = new ActiveSite({
      config,
      log,
      keys,
      local,
      peer,
      token,
      opened,
      memory: this.#memory,
      onConflict: (conflict) => this.#conflict(conflict),
      onSkipped: (reason, command) => this.#skip(reason, command),
      onGap: () => this.#gaps++,
    });
    this.#addUp(this.#active);
    this.#active = active;
    const stop = new AbortController();
    const abort = (): void => stop.abort();
    signal.addEventListener('abort', abort, { once: true });
    const keeping = this.#lease.keep(stop.signal);
    const running = active.run(stop.signal);
    try {
      await Promise.race([running, keeping, checking.then(() => NEVER)]);
    } catch (error) {
      abort();
      await running.catch(() => {});
      await this.#newEpochIfNeeded(error, token, opened);
      throw error;
    } finally {
      abort();
      signal.removeEventListener('abort', abort);
      await Promise.allSettled([running, keeping]);
      this.#remember(active, opened.epoch);
    }
  }

  /**
   * The peer knows more of this site's history than its Redis does: that history was cut, and goes on in a new epoch. As long as
   * nothing of this session was sent, it begins where this session began, and what this session has numbered is numbered anew.
   */
  async #newEpochIfNeeded(error: unknown, token: number, opened: OpenedState): Promise<void> {
    if (!(error instanceof TandemError) || error.code !== 'EPOCH') return;
    const { epoch, received } = (error.details ?? {}) as { epoch?: number; received?: number };
    const { list, courier, clock, start } = this.#active!;
    const position = courier.hasSent ? list.saved : start;
    if (epoch === undefined || received === undefined || position === undefined) return;
    this.#gaps++;
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

  /** What is remembered is what was saved: all of it must be of one moment. */
  #remember(active: ActiveSite, epoch: number): void {
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
      clock: clock.last,
    };
  }

  #addUp(ended: ActiveSite | undefined): void {
    if (!ended) return;
    const { sent, applied, rejected, late } = this.#before;
    this.#before = {
      sent: sum(sent, ended.courier.sent),
      applied: sum(applied, ended.applier?.counts),
      rejected: rejected + ended.rejections.count,
      late: late + ended.late.count,
    };
  }

  #conflict(conflict: Conflict): void {
    const { command, outcome, database, key, theirTimestamp, ownTimestamp } = conflict;
    const kind = `${command.toLowerCase()}:${outcome}`;
    this.#conflicts[kind] = (this.#conflicts[kind] ?? 0) + 1;
    const times = { theirs: wallMs(theirTimestamp), own: wallMs(ownTimestamp) };
    this.#log.debug(
      { command, outcome, database, key: key.toString('latin1'), ...times },
      'concurrent writes',
    );
  }

  #skip(reason: string, command: string): void {
    this.#skipped[reason] = (this.#skipped[reason] ?? 0) + 1;
    if (reason === 'flush-ignored')
      this.#log.warn({ command, setting: 'flush' }, 'a flush stays local: the sites now differ');
    else if (reason === 'split-by-filter')
      this.#log.warn(
        { command },
        'a command on several keys was not sent, because the filter lets only some of them through',
      );
    else this.#log.debug({ reason, command }, 'a command was not sent');
  }

  /** What this process can say of itself, at any time. */
  status(): SiteStatus {
    const { config } = { config: this.#config };
    const active = this.#active;
    const now = Date.now();
    return {
      pair: config.pair,
      site: config.site,
      peer: config.peer,
      version: VERSION,
      role: this.#role,
      at: now,
      uptimeMs: now - this.#startedAt,
      epoch: active?.epoch ?? 0,
      capture: this.#captureStatus(),
      outbound: this.#outboundStatus(now),
      inbound: this.#inboundStatus(now),
      conflicts: { ...this.#conflicts },
      rejected: this.#before.rejected + (active?.rejections.count ?? 0),
      late: this.#before.late + (active?.late.count ?? 0),
      clockSkewMs: active?.courier.skewMs ?? null,
      memoryBytes: process.memoryUsage.rss(),
      gap: this.#gaps > 0,
    };
  }

  #captureStatus(): SiteStatus['capture'] {
    const capture = this.#active?.capture;
    return {
      state: capture
        ? this.#trouble
          ? 'backing-off'
          : 'streaming'
        : this.#trouble
          ? 'backing-off'
          : 'starting',
      replid: capture?.position.replid ?? '',
      offset: capture?.position.offset ?? 0,
      nextSequence: capture?.nextSequence ?? 0,
      commandsTotal: capture?.counts.commands ?? 0,
      echoesTotal: capture?.counts.echoes ?? 0,
      skippedTotal: { ...this.#skipped },
      unknownTotal: capture?.counts.unknown ?? 0,
      gaps: this.#gaps,
    };
  }

  #outboundStatus(now: number): SiteStatus['outbound'] {
    const active = this.#active;
    const sent = sum(this.#before.sent, active?.courier.sent);
    const oldest = active?.list.oldestTimestamp;
    return {
      ...this.#linkState(active?.courier.state, active?.courier.detail),
      lagMs: oldest === undefined ? 0 : Math.max(0, now - wallMs(oldest)),
      changesPerSecond: this.#sendRate.sample(sent.changes, now),
      changesTotal: sent.changes,
      bytesTotal: sent.bytes,
      changeListBatches: active?.list.batches ?? 0,
      changeListBytes: active?.list.bytes ?? 0,
      deliveredSequence: active?.courier.delivered ?? 0,
      seenByPeer: active?.seenByPeer ?? 0,
    };
  }

  #inboundStatus(now: number): SiteStatus['inbound'] {
    const active = this.#active;
    const counts = sum(this.#before.applied, active?.applier?.counts);
    return {
      ...this.#linkState(active?.applier?.state, active?.applier?.detail),
      lagMs: active?.applier?.lagMs ?? 0,
      changesPerSecond: this.#applyRate.sample(counts.changes, now),
      changesTotal: counts.changes,
      bytesTotal: counts.bytes,
      inboxBatches: active?.inbox.batches ?? 0,
      inboxBytes: active?.inbox.bytes ?? 0,
      receivedSequence: active?.inbox.receivedSequence ?? 0,
      appliedSequence: active?.applier?.appliedSequence ?? 0,
    };
  }

  #linkState(
    state: LinkState | undefined,
    detail: string | undefined,
  ): { state: LinkState; detail?: string } {
    if (this.#trouble) return { state: 'backing-off', detail: this.#trouble.message };
    return { state: state ?? 'starting', ...(detail === undefined ? {} : { detail }) };
  }
}

interface Amount {
  readonly changes: number;
  readonly bytes: number;
}

const NOTHING: Amount = { changes: 0, bytes: 0 };

function sum(before: Amount, now: Amount = NOTHING): Amount {
  return { changes: before.changes + now.changes, bytes: before.bytes + now.bytes };
}
