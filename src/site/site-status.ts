/** The status of a site, made of the pipeline at work and of counters that outlast a new beginning. */

import type { Direction } from './pauses.js';
import type { Pipeline } from './pipeline.js';
import type { Conflict } from '../conflicts/resolved.js';
import { lagMs, wallMs } from '../protocol/clock.js';
import type { Config } from '../config/config.js';
import type { ControlPlane } from '../jobs/jobs.js';
import type { TandemError } from '../errors.js';
import { linesLost, type Logger } from '../log/log.js';
import { SparseLog } from '../log/sparse-log.js';
import type { PeerWord } from '../outbound/peer-word.js';
import { Rate } from '../observe/rate.js';
import { Standstill } from '../observe/standstill.js';
import type { ComparisonStatus, LinkState, LinkStatus, SiteStatus } from '../observe/status.js';
import { VERSION } from '../version.js';

/** What there is at the moment. */
export interface AtWork {
  readonly active: Pipeline | undefined;
  readonly role: 'active' | 'standby';
  /** What ended the work before this. */
  readonly trouble: TandemError | undefined;
  /** Whether there is a gap that is not repaired. */
  readonly isCut: boolean;
  /** In the list of rejected changes. */
  readonly rejectedPending: number;
  readonly copyFailure: string | undefined;
  readonly lastComparison: ComparisonStatus | undefined;
  readonly jobs: ControlPlane['status'];
  readonly word: Pick<PeerWord, 'heard' | 'oldestBehind'>;
}

interface Amount {
  readonly changes: number;
  readonly bytes: number;
  readonly plainBytes: number;
}

interface Captured {
  readonly commands: number;
  readonly echoes: number;
  readonly unknown: number;
  readonly changes: number;
}

const NOTHING_CAPTURED: Captured = { commands: 0, echoes: 0, unknown: 0, changes: 0 };
const NOTHING: Amount = { changes: 0, bytes: 0, plainBytes: 0 };

export class StatusOfSite {
  readonly #config: Config;
  readonly #log: Logger;
  readonly #onConflict: ((conflict: Conflict) => void) | undefined;
  readonly #startedAt = performance.now();
  readonly #conflicts: Record<string, number> = {};
  /** Nothing of a user's data is in it. */
  readonly #conflictLog: SparseLog<Pick<Conflict, 'command' | 'outcome' | 'database'>>;
  readonly #skipped: Record<string, number> = {};
  /** The counts before the last new beginning: counters of a process only rise. */
  #before = { sent: NOTHING, applied: NOTHING, rejected: 0, late: 0, captured: NOTHING_CAPTURED };
  readonly #sendRate = new Rate();
  readonly #applyRate = new Rate();
  readonly #madeRate = new Rate();
  readonly #standstills = { outbound: new Standstill(), inbound: new Standstill() };
  /** Cuts of the histories. */
  gaps = 0;

  constructor({
    config,
    log,
    onConflict,
  }: {
    config: Config;
    log: Logger;
    onConflict: ((conflict: Conflict) => void) | undefined;
  }) {
    this.#config = config;
    this.#log = log;
    this.#onConflict = onConflict;
    this.#conflictLog = new SparseLog((line) => log.info(line, 'concurrent writes were met'));
  }

  /** Concurrent writes have met. */
  conflict(conflict: Conflict): void {
    const { command, outcome, database, key, theirTimestamp, ownTimestamp } = conflict;
    const kind = `${command.toLowerCase()}:${outcome}`;
    this.#conflicts[kind] = (this.#conflicts[kind] ?? 0) + 1;
    this.#conflictLog.met({ command, outcome, database });
    this.#onConflict?.(conflict);
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
  ended(active: Pipeline | undefined): void {
    if (!active) return;
    const { sent, applied, rejected, late, captured } = this.#before;
    this.#before = {
      sent: sum(sent, active.courier.sent),
      applied: sum(applied, active.applier?.counts),
      rejected: rejected + active.rejections.count,
      late: late + active.late.count,
      captured: capturedSoFar(captured, active),
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
      other: now.word.heard ?? null,
      conflicts: { ...this.#conflicts },
      rejected: this.#before.rejected + (active?.rejections.count ?? 0),
      rejectedPending: now.rejectedPending,
      late: this.#before.late + (active?.late.count ?? 0),
      jobs,
      clockSkewMs: active?.courier.skewMs ?? null,
      memoryBytes: process.memoryUsage.rss(),
      logLinesLost: linesLost(this.#log),
      gap: isCut,
      firstCopyFailure: now.copyFailure ?? null,
      lastComparison: now.lastComparison ?? null,
    };
  }

  #capture({ active, trouble }: AtWork): SiteStatus['capture'] {
    const capture = active?.capture;
    const state = capture ? 'streaming' : 'starting';
    const { commands, echoes, unknown, changes } = capturedSoFar(this.#before.captured, active);
    return {
      state: trouble ? 'backing-off' : state,
      replid: capture?.position.replid ?? '',
      offset: capture?.position.offset ?? 0,
      nextSequence: capture?.nextSequence ?? 0,
      changesTotal: changes,
      commandsTotal: commands,
      echoesTotal: echoes,
      skippedTotal: { ...this.#skipped },
      unknownTotal: unknown,
      gaps: this.gaps,
    };
  }

  #outbound({ active, trouble }: AtWork, now: number): SiteStatus['outbound'] {
    const sent = sum(this.#before.sent, active?.courier.sent);
    return {
      ...linkState(trouble, active?.courier, active?.list.oldestTimestamp !== undefined),
      ...this.#halt(active, 'outbound', {
        place: active?.acknowledgements.seen ?? 0,
        isWaiting: active?.list.oldestTimestamp !== undefined,
        now,
      }),
      lagMs: lagMs(active?.list.oldestTimestamp, now),
      changesPerSecond: this.#sendRate.sample(sent.changes, now),
      changesTotal: sent.changes,
      bytesTotal: sent.bytes,
      plainBytesTotal: sent.plainBytes,
      compression: active?.packedBy ?? 'none',
      isHeldBack: active?.courier.isHeldBack ?? false,
      roundTripMs: active?.courier.roundTripMs ?? null,
      changeListBatches: active?.list.batches ?? 0,
      changeListBytes: active?.list.bytes ?? 0,
      changeListLimitBytes: active?.list.limit ?? 0,
      // What was delivered has gone from the list, or will: together they rise by what is made.
      bytesPerSecond: this.#madeRate.sample(sent.bytes + (active?.list.bytes ?? 0), now),
      deliveredSequence: active?.courier.delivered ?? 0,
      seenByPeer: active?.acknowledgements.seen ?? 0,
    };
  }

  /** Since when a direction is paused, and since when it stands still without that. */
  #halt(
    active: Pipeline | undefined,
    direction: Direction,
    { place, isWaiting, now }: { place: number; isWaiting: boolean; now: number },
  ): Pick<LinkStatus, 'pausedSince' | 'stalledSince'> {
    const pausedSince = active?.pauses.since(direction) ?? null;
    const lastedMs = this.#standstills[direction].look({
      place,
      isWaiting: isWaiting && pausedSince === null,
      nowMs: performance.now(),
    });
    return { pausedSince, stalledSince: lastedMs === undefined ? null : Math.round(now - lastedMs) };
  }

  #inbound({ active, trouble, word }: AtWork, now: number): SiteStatus['inbound'] {
    const counts = sum(this.#before.applied, active?.applier?.counts);
    // Changes that are not delivered count as well: the other site tells of them.
    const behindMs = active && word.oldestBehind(active.applied.sequence);
    return {
      ...linkState(
        trouble,
        active?.applier,
        active !== undefined &&
          (active.inbox.batches > 0 || active.acknowledgements.isAsking || behindMs !== undefined),
      ),
      ...this.#halt(active, 'inbound', {
        place: active?.applied.sequence ?? 0,
        isWaiting: active !== undefined && (active.inbox.batches > 0 || behindMs !== undefined),
        now,
      }),
      lagMs: Math.max(lagMs(active?.inbox.oldestTimestamp, now), now - (behindMs ?? now)),
      changesPerSecond: this.#applyRate.sample(counts.changes, now),
      changesTotal: counts.changes,
      bytesTotal: counts.bytes,
      plainBytesTotal: counts.plainBytes,
      inboxBatches: active?.inbox.batches ?? 0,
      inboxBytes: active?.inbox.bytes ?? 0,
      receivedSequence: active?.inbox.receivedSequence ?? 0,
      appliedSequence: active?.applier?.appliedSequence ?? 0,
    };
  }
}

/** @param isWaiting whether something is on its way that is not applied where it goes, or an answer is due */
function linkState(
  trouble: TandemError | undefined,
  stage:
    | { readonly state: LinkState; readonly detail: string | undefined; readonly reason: string | undefined }
    | undefined,
  isWaiting: boolean,
): { state: LinkState; detail?: string; reason?: string } {
  if (trouble) return { state: 'backing-off', detail: trouble.message, reason: trouble.code };
  return {
    // A stage tells what it has to do itself; caught up is a direction in which nothing waits anywhere.
    state: stage?.state === 'caught-up' && isWaiting ? 'streaming' : (stage?.state ?? 'starting'),
    ...(stage?.detail === undefined ? {} : { detail: stage.detail }),
    ...(stage?.reason === undefined ? {} : { reason: stage.reason }),
  };
}

function capturedSoFar(before: Captured, active: Pipeline | undefined): Captured {
  const { commands, echoes, unknown } = active?.capture?.counts ?? NOTHING_CAPTURED;
  return {
    commands: before.commands + commands,
    echoes: before.echoes + echoes,
    unknown: before.unknown + unknown,
    changes: before.changes + (active?.list.changesMade ?? 0),
  };
}

function sum(before: Amount, now: Amount = NOTHING): Amount {
  return {
    changes: before.changes + now.changes,
    bytes: before.bytes + now.bytes,
    plainBytes: before.plainBytes + now.plainBytes,
  };
}
