import type { Logger } from '../log/log.js';
import type { SiteStatus } from './status.js';

export interface ReportOptions {
  status: () => SiteStatus;
  log: Logger;
  intervalMs: number;
}

type Line = Record<string, unknown>;

/**
 * Logs one line for each direction in which something moved or changed its state since the last line, or waits ever longer.
 * Returns the function that ends it.
 */
export function startReport({ status, log, intervalMs }: ReportOptions): () => void {
  let before: SiteStatus | undefined;
  const timer = setInterval(() => {
    const now = status();
    for (const line of reportLines(now, before)) log.info(line, 'status');
    before = now;
  }, intervalMs);
  timer.unref();
  return () => clearInterval(timer);
}

/** The lines for what moved between two statuses; a standby has nothing to tell. */
export function reportLines(now: SiteStatus, before?: SiteStatus): Line[] {
  if (now.role === 'standby') return [];
  const { outbound, inbound } = now;
  const lines: Line[] = [];
  if (moved(outbound, before?.outbound)) {
    lines.push({
      direction: `${now.site} to ${now.peer}`,
      ...linkFields(outbound),
      changes: outbound.changesTotal - (before?.outbound.changesTotal ?? 0),
      changeListBatches: outbound.changeListBatches,
      changeListBytes: outbound.changeListBytes,
    });
  }
  if (moved(inbound, before?.inbound) || total(now.conflicts) !== total(before?.conflicts ?? {})) {
    lines.push({
      direction: `${now.peer} to ${now.site}`,
      ...linkFields(inbound),
      changes: inbound.changesTotal - (before?.inbound.changesTotal ?? 0),
      inboxBatches: inbound.inboxBatches,
      inboxBytes: inbound.inboxBytes,
      conflicts: total(now.conflicts),
      rejected: now.rejected,
    });
  }
  return lines;
}

function moved(
  now: SiteStatus['outbound' | 'inbound'],
  before?: SiteStatus['outbound' | 'inbound'],
): boolean {
  if (before === undefined || now.state !== before.state) return true;
  // What stands still while something waits is to be heard of most of all.
  return now.changesTotal !== before.changesTotal || now.lagMs > before.lagMs;
}

function linkFields({ state, detail, lagMs, changesPerSecond }: SiteStatus['outbound' | 'inbound']): Line {
  return {
    state,
    ...(detail === undefined ? {} : { detail }),
    lagMs,
    changesPerSecond: Math.round(changesPerSecond),
  };
}

function total(counts: Record<string, number>): number {
  return Object.values(counts).reduce((sum, count) => sum + count, 0);
}
