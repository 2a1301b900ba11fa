/** What a site tells of itself: counters that outlast a new beginning, and the status made of them and of what is at work. */

import type { ActiveSite } from './active-site.js';
import type { Conflict } from './apply/resolved.js';
import { lagMs, wallMs } from './change/clock.js';
import type { Config } from './config.js';
import type { ControlPlane } from './control/jobs.js';
import type { TandemError } from './errors.js';
import type { Logger } from './log.js';
import { ConflictLog } from './service/conflict-log.js';
import { Rate } from './service/rate.js';
import type { LinkState, SiteStatus } from './service/status.js';
import { VERSION } from './version.js';

/** What there is at the moment. */
export interface AtWork {
  readonly active: ActiveSite | undefined;
  readonly role: 'active' | 'standby';
  /** What ended the work before this. */
  readonly trouble: TandemError | undefined;
  /** Whether the histories were cut and nobody has repaired what that left. */
  readonly isCut: boolean;
  readonly jobs: ControlPlane['status'];
}

interface Amount {
  readonly changes: number;
  readonly bytes: number;
}

const NOTHING: Amount = { changes: 0, bytes: 0 };

export class SiteTold {
  readonly #config: Config;
  readonly #log: Logger;
  readonly #startedAt = performance.now();
  readonly #conflicts: Record<string, number> = {};
  readonly #conflictLog: ConflictLog;
  readonly #skipped: Record<string, number> = {};
  /** What was counted before the last new beginning: counters of a process only rise. */
  #before = { sent: NOTHING, applied: NOTHING, rejected: 0, late: 0 };
  readonly #sendRate = new Rate();
  readonly #applyRate = new Rate();
  /** Cuts of the histories. */
  gaps = 0;

  constructor({ config, log }: { config: Config; log: Logger }) {
    this.#config = config;
    this.#log = log;
    this.#conflictLog = new ConflictLog(log);
  }

  /** Concurrent writes have met. */
  conflict(conflict: Conflict): void {
    const { command, outcome, database, key, theirTimestamp, ownTimestamp } = conflict;
    const kind = `${command.toLowerCase()}:${outcome}`;
    this.#conflicts[kind] = (this.#conflicts[kind] ?? 0) + 1;
    this.#conflictLog.met(conflict);
    const times = { theirs: wallMs(theirTimestamp), own: wallMs(ownTimestamp) };
    this.#log.debug(
      { command, outcome, database, key: key.toString('latin1'), ...times },
      'concurrent writes',
    );
  }

  /** A command was left out. */
  skip(reason: string, command: string): void {
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

  /** Says what it has not said yet. */
  close(): void {
    this.#conflictLog.close();
  }

  /** A site at work has ended: what it had counted stays. */
  ended(active: ActiveSite | undefined): void {
    if (!active) return;
    const { sent, applied, rejected, late } = this.#before;
    this.#before = {
      sent: sum(sent, active.courier.sent),
      applied: sum(applied, active.applier?.counts),
      rejected: rejected + active.rejections.count,
      late: late + active.late.count,
    };
  }

  status(now: AtWork): SiteStatus {
    const { active, role, isCut, jobs } = now;
    const { pair, site, peer } = this.#config;
    const at = Date.now();
    return {
      pair,
      site,
      peer,
      version: VERSION,
      role,
      at,
      uptimeMs: Math.round(performance.now() - this.#startedAt),
      epoch: active?.epoch ?? 0,
      capture: this.#capture(now),
      outbound: this.#outbound(now, at),
      inbound: this.#inbound(now, at),
      conflicts: { ...this.#conflicts },
      rejected: this.#before.rejected + (active?.rejections.count ?? 0),
      late: this.#before.late + (active?.late.count ?? 0),
      jobs,
      clockSkewMs: active?.courier.skewMs ?? null,
      memoryBytes: process.memoryUsage.rss(),
      gap: isCut,
    };
  }

  #capture({ active, trouble }: AtWork): SiteStatus['capture'] {
    const capture = active?.capture;
    const state = capture ? 'streaming' : 'starting';
    return {
      state: trouble ? 'backing-off' : state,
      replid: capture?.position.replid ?? '',
      offset: capture?.position.offset ?? 0,
      nextSequence: capture?.nextSequence ?? 0,
      commandsTotal: capture?.counts.commands ?? 0,
      echoesTotal: capture?.counts.echoes ?? 0,
      skippedTotal: { ...this.#skipped },
      unknownTotal: capture?.counts.unknown ?? 0,
      gaps: this.gaps,
    };
  }

  #outbound({ active, trouble }: AtWork, now: number): SiteStatus['outbound'] {
    const sent = sum(this.#before.sent, active?.courier.sent);
    return {
      ...linkState(trouble, active?.courier),
      pausedSince: active?.pauses.since('outbound') ?? null,
      lagMs: lagMs(active?.list.oldestTimestamp, now),
      changesPerSecond: this.#sendRate.sample(sent.changes, now),
      changesTotal: sent.changes,
      bytesTotal: sent.bytes,
      changeListBatches: active?.list.batches ?? 0,
      changeListBytes: active?.list.bytes ?? 0,
      deliveredSequence: active?.courier.delivered ?? 0,
      seenByPeer: active?.seenByPeer ?? 0,
    };
  }

  #inbound({ active, trouble }: AtWork, now: number): SiteStatus['inbound'] {
    const counts = sum(this.#before.applied, active?.applier?.counts);
    return {
      ...linkState(trouble, active?.applier),
      pausedSince: active?.pauses.since('inbound') ?? null,
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
}

function linkState(
  trouble: TandemError | undefined,
  stage: { readonly state: LinkState; readonly detail: string | undefined } | undefined,
): { state: LinkState; detail?: string } {
  if (trouble) return { state: 'backing-off', detail: trouble.message };
  return {
    state: stage?.state ?? 'starting',
    ...(stage?.detail === undefined ? {} : { detail: stage.detail }),
  };
}

function sum(before: Amount, now: Amount = NOTHING): Amount {
  return { changes: before.changes + now.changes, bytes: before.bytes + now.bytes };
}
