import type { Logger } from '../log/log.js';
import { PEER_SILENT_MS, stallsOf } from './health.js';
import { knownLag } from './lag.js';
import { Trouble } from '../log/trouble.js';
import type { LinkStatus, OtherLink, SiteStatus } from './status.js';

export interface ReportOptions {
  status: () => SiteStatus;
  log: Logger;
  intervalMs: number;
}

type Line = Record<string, unknown>;

/** After so many intervals without a line both directions are told all the same: a log that is silent for longer has lost its process. */
const QUIET_INTERVALS = 30;

/**
 * Logs one line for each direction in which something moved or changed its state since the last line, or waits ever longer; both now and
 * then when there is nothing to tell; and a peer that is no longer heard of. Returns the function that ends it.
 */
export function startReport({ status, log, intervalMs }: ReportOptions): () => void {
  let before: SiteStatus | undefined;
  let quiet = 0;
  const silence = new PeerSilence(log);
  const stalls = new StallWarnings(log);
  const timer = setInterval(() => {
    const now = status();
    silence.look(now);
    stalls.look(now);
    tellVersion(log, now, before);
    quiet++;
    const lines = reportLines(now, before, quiet >= QUIET_INTERVALS);
    if (lines.length > 0) quiet = 0;
    for (const line of lines) log.info(line, 'status');
    before = now;
  }, intervalMs);
  timer.unref();
  return () => clearInterval(timer);
}

/** While both sites are upgraded it is so for a while; for good it is a mistake. */
function tellVersion(
  log: Logger,
  { peer, version, other }: SiteStatus,
  before: SiteStatus | undefined,
): void {
  if (other === null || other.version === version || other.version === before?.other?.version) return;
  log.info({ peer, version, peerVersion: other.version }, 'the peer runs another version');
}

/** Tells when the peer's process has not told how it is: nothing else in this site's log says why its changes are not applied there. */
export class PeerSilence {
  readonly #log: Logger;
  readonly #trouble: Trouble;
  /** When it was heard last, or this process began. */
  #sinceMs = 0;

  /** @param now a clock that only goes forward, in ms */
  constructor(log: Logger, now?: () => number) {
    this.#log = log;
    this.#trouble = new Trouble(now === undefined ? {} : { now });
  }

  look({ role, capture, at, uptimeMs, other, peer }: SiteStatus): void {
    // A site that does not hear its own Redis hears of no peer either.
    if (role !== 'active' || capture.state !== 'streaming') return;
    const silentMs = Math.min(uptimeMs, at - (other?.heardMs ?? -Infinity));
    if (silentMs < PEER_SILENT_MS) {
      if (this.#trouble.over())
        this.#log.info(
          { peer, silentMs: at - silentMs - this.#sinceMs },
          "the peer's process is heard of again",
        );
      return;
    }
    this.#sinceMs = at - silentMs;
    if (this.#trouble.met(''))
      this.#log.warn(
        {
          peer,
          heard: other === null ? null : new Date(other.heardMs).toISOString(),
          silentMs,
          hint: "It is stopped, hangs, or cannot reach this site's Redis: look at its own log, or run tandem health there.",
        },
        "nothing is heard of the peer's process",
      );
  }
}

/** Tells of a direction that stands still although both processes run and nothing fails: no other line does. */
export class StallWarnings {
  readonly #log: Logger;
  readonly #now: (() => number) | undefined;
  readonly #troubles = new Map<string, Trouble>();

  /** @param now a clock that only goes forward, in ms */
  constructor(log: Logger, now?: () => number) {
    this.#log = log;
    this.#now = now;
  }

  look(status: SiteStatus): void {
    const stalls = new Map(stallsOf(status).map(({ direction, stalledMs }) => [direction, stalledMs]));
    for (const [direction, trouble] of this.#troubles) {
      const ended = stalls.has(direction) ? undefined : trouble.over();
      if (ended) this.#log.info({ direction, ...ended }, 'changes that waited are applied again');
    }
    for (const [direction, stalledMs] of stalls) {
      const trouble =
        this.#troubles.get(direction) ?? new Trouble(this.#now === undefined ? {} : { now: this.#now });
      this.#troubles.set(direction, trouble);
      if (trouble.met(''))
        this.#log.warn(
          {
            direction,
            stalledMs,
            hint: 'Look at the load of both servers, and at the logs of both processes; tandem status shows how far each has come.',
          },
          'changes wait, and none of them is applied',
        );
    }
  }
}

/** The lines for what moved between two statuses, or for both directions; a standby has nothing to tell. */
export function reportLines(now: SiteStatus, before?: SiteStatus, isDue = false): Line[] {
  if (now.role === 'standby') return [];
  const { outbound, inbound, other } = now;
  const gap = { ...(now.gap ? { gap: true } : {}), ...(other?.gap ? { gapAtPeer: true } : {}) };
  const lines: Line[] = [];
  if (isDue || moved(outbound, before?.outbound) || now.gap !== before?.gap) {
    lines.push({
      direction: `${now.site} to ${now.peer}`,
      ...linkFields(outbound, other?.inbound, knownLag(now, 'outbound').lagMs),
      changes: sinceThen(outbound, before?.outbound),
      changeListBatches: outbound.changeListBatches,
      changeListBytes: outbound.changeListBytes,
      ...gap,
    });
  }
  if (
    isDue ||
    moved(inbound, before?.inbound) ||
    total(now.conflicts) !== total(before?.conflicts ?? {}) ||
    now.rejected !== before?.rejected
  ) {
    lines.push({
      direction: `${now.peer} to ${now.site}`,
      ...linkFields(inbound, other?.outbound, knownLag(now, 'inbound').lagMs),
      changes: sinceThen(inbound, before?.inbound),
      inboxBatches: inbound.inboxBatches,
      inboxBytes: inbound.inboxBytes,
      conflicts: total(now.conflicts),
      rejected: now.rejected,
      ...gap,
    });
  }
  return lines;
}

/** Changes that passed since the last status: of the first one, all. */
function sinceThen(now: LinkStatus, before: LinkStatus | undefined): number {
  return now.changesTotal - (before?.changesTotal ?? 0);
}

function moved(now: LinkStatus, before?: LinkStatus): boolean {
  if (before === undefined || now.state !== before.state) return true;
  // A direction that stands still while something waits matters most.
  return now.changesTotal !== before.changesTotal || now.lagMs > before.lagMs;
}

/** @param there how the peer has told of this direction @param lagMs null where it is not known */
function linkFields(
  { state, detail, pausedSince, changesPerSecond }: LinkStatus,
  there: OtherLink | undefined,
  lagMs: number | null,
): Line {
  return {
    state,
    ...(detail === undefined ? {} : { detail }),
    ...(pausedSince === null ? {} : { pausedSince: new Date(pausedSince).toISOString() }),
    ...atPeer(there),
    lagMs,
    changesPerSecond: Math.round(changesPerSecond),
  };
}

/** Only what keeps changes from passing: all else is told by the numbers. */
function atPeer(there: OtherLink | undefined): Line {
  if (there === undefined) return {};
  if (there.pausedSince !== null) return { atPeer: 'paused' };
  return there.state === 'backing-off' || there.state === 'stopped' ? { atPeer: there.state } : {};
}

function total(counts: Record<string, number>): number {
  return Object.values(counts).reduce((sum, count) => sum + count, 0);
}
