/** What `tandem status --watch` shows: the text alone. */

import type { JobView } from '../jobs/job-view.js';
import { isFlowing, readinessProblems } from '../observe/health.js';
import { knownLag, type KnownLag } from '../observe/lag.js';
import { SILENT_MS } from '../observe/status-key.js';
import type { LinkStatus, SiteStatus } from '../observe/status.js';
import type { ServerMemory } from '../redis/server-memory.js';
import { bar, percent, sparkline, workText, type WorkRate } from './bars.js';
import { bytes, duration, grouped, paint } from './terminal.js';

/** Seconds that the lines of a direction show. */
export const HISTORY = 30;
const BAR_COLUMNS = 20;
const LABEL_COLUMNS = 13;
const VALUE_COLUMNS = 14;
/** Jobs that are shown, those at work first. */
export const SHOWN_JOBS = 5;

/** What was seen of a direction, the newest last. */
export interface LinkHistory {
  readonly lagMs: readonly number[];
  readonly changesPerSecond: readonly number[];
}

/** The newest values of both directions, so many at the most as are shown. */
export class History {
  readonly #of: Record<'outbound' | 'inbound', { lagMs: number[]; changesPerSecond: number[] }> = {
    outbound: { lagMs: [], changesPerSecond: [] },
    inbound: { lagMs: [], changesPerSecond: [] },
  };

  get outbound(): LinkHistory {
    return this.#of.outbound;
  }

  get inbound(): LinkHistory {
    return this.#of.inbound;
  }

  note(site: SiteStatus): void {
    for (const direction of ['outbound', 'inbound'] as const)
      for (const name of ['lagMs', 'changesPerSecond'] as const) {
        const values = this.#of[direction][name];
        values.push(site[direction][name]);
        if (values.length > HISTORY) values.shift();
      }
  }
}

export interface Watched {
  readonly site: SiteStatus;
  readonly history: History;
  /** Undefined where the server does not tell. */
  readonly memory: ServerMemory | undefined;
  /** As this command's own settings have them. */
  readonly bounds: { readonly changesBytes: number; readonly inboxBytes: number };
  /** Those that wait or are at work. */
  readonly jobs: readonly { readonly job: JobView; readonly rate: WorkRate }[];
  /** ms since 1970 */
  readonly now: number;
}

/** The whole picture, a line each. */
export function watchLines(watched: Watched): string[] {
  const { site, history, bounds, now } = watched;
  const { capture, outbound, inbound } = site;
  const ageMs = now - site.at;
  const stale = ageMs > SILENT_MS ? paint.yellow(`  as of ${duration(ageMs)} ago`) : '';
  const last = capture.nextSequence - 1;
  const notApplied = Math.max(0, last - outbound.seenByPeer);
  return [
    `${paint.bold(`pair ${site.pair}, site ${site.site}`)}  ${site.role}, up ${duration(site.uptimeMs)}, tandem ${site.version}${stale}`,
    '',
    ...linkLines(`${site.site} → ${site.peer}`, outbound, knownLag(site, 'outbound'), history.outbound),
    fillLine('change list', outbound.changeListBytes, bounds.changesBytes),
    `  ${''.padEnd(LABEL_COLUMNS)}${grouped(Math.max(0, last - outbound.deliveredSequence))} not delivered, ${grouped(notApplied)} not applied there`,
    '',
    ...linkLines(`${site.peer} → ${site.site}`, inbound, knownLag(site, 'inbound'), history.inbound),
    fillLine('inbox', inbound.inboxBytes, bounds.inboxBytes),
    `  ${''.padEnd(LABEL_COLUMNS)}${grouped(Math.max(0, inbound.receivedSequence - inbound.appliedSequence))} not applied here`,
    '',
    memoryLine(watched.memory),
    peerLine(site, now),
    ...countLines(site),
    ...jobLines(watched),
    '',
    ...problemLines(site),
  ];
}

/** The same in one line, for a pipe. */
export function watchLine({ site, now }: Pick<Watched, 'site' | 'now'>): string {
  const link = (direction: string, { state, changesPerSecond }: LinkStatus, lag: KnownLag): string =>
    `${direction} ${state}, lag ${shortLag(lag)}, ${grouped(changesPerSecond)} changes/s`;
  const { outbound, inbound, jobs } = site;
  return [
    new Date(now).toISOString(),
    `${link(`${site.site} → ${site.peer}`, outbound, knownLag(site, 'outbound'))}, change list ${bytes(outbound.changeListBytes)}`,
    `${link(`${site.peer} → ${site.site}`, inbound, knownLag(site, 'inbound'))}, inbox ${bytes(inbound.inboxBytes)}`,
    ...(jobs.active > 0 ? [`jobs at work ${jobs.active}`] : []),
    ...(site.gap || site.other?.gap ? ['a gap is open'] : []),
  ].join('  ');
}

/** Why it is not known stands below. */
function shortLag({ lagMs }: KnownLag): string {
  return lagMs === null ? 'unknown' : duration(lagMs);
}

function linkLines(
  direction: string,
  link: LinkStatus,
  lag: KnownLag,
  { lagMs, changesPerSecond }: LinkHistory,
): string[] {
  const state = isFlowing(link) ? paint.green(link.state) : paint.yellow(link.state);
  const detail = link.detail === undefined ? '' : `: ${link.detail}`;
  return [
    `${paint.bold(direction)}  ${state}${detail}`,
    plotLine('lag', shortLag(lag), lagMs, duration),
    plotLine(
      'changes',
      `${grouped(link.changesPerSecond)}/s`,
      changesPerSecond,
      (value) => `${grouped(value)}/s`,
    ),
  ];
}

function plotLine(
  label: string,
  value: string,
  values: readonly number[],
  text: (value: number) => string,
): string {
  const highest = `up to ${text(Math.max(0, ...values))}`;
  return `  ${label.padEnd(LABEL_COLUMNS)}${value.padEnd(VALUE_COLUMNS)}${sparkline(values, HISTORY)}  ${paint.dim(highest)}`;
}

function fillLine(label: string, size: number, bound: number): string {
  const share = bound > 0 ? size / bound : 0;
  return `  ${label.padEnd(LABEL_COLUMNS)}${coloured(share)}  ${bytes(size)} of ${bytes(bound)} (${percent(share)})`;
}

function memoryLine(memory: ServerMemory | undefined): string {
  const label = `  ${'memory'.padEnd(LABEL_COLUMNS)}`;
  if (memory === undefined) return `${label}not told by the server`;
  const { usedBytes, maxmemoryBytes } = memory;
  if (maxmemoryBytes === 0) return `${label}${bytes(usedBytes)}, the server has no maxmemory`;
  const share = usedBytes / maxmemoryBytes;
  return `${label}${coloured(share)}  ${bytes(usedBytes)} of ${bytes(maxmemoryBytes)} (${percent(share)}) of the server`;
}

function coloured(share: number): string {
  const drawn = bar(share, BAR_COLUMNS);
  return share >= 0.9 ? paint.red(drawn) : share >= 0.7 ? paint.yellow(drawn) : paint.green(drawn);
}

function peerLine({ peer, other }: SiteStatus, now: number): string {
  const label = `  ${'peer'.padEnd(LABEL_COLUMNS)}`;
  if (other === null) return `${label}${paint.yellow(`${peer} has not been heard of yet`)}`;
  const ageMs = Math.max(0, now - other.heardMs);
  const heard = `heard of ${duration(ageMs)} ago`;
  return `${label}${peer}, tandem ${other.version}, ${ageMs > SILENT_MS ? paint.yellow(heard) : heard}`;
}

function countLines({ conflicts, rejected, jobs }: SiteStatus): string[] {
  const met = Object.values(conflicts).reduce((sum, count) => sum + count, 0);
  const lines = [`  ${'conflicts'.padEnd(LABEL_COLUMNS)}${grouped(met)}, rejected ${grouped(rejected)}`];
  if (jobs.failed > 0)
    lines.push(
      `  ${'jobs'.padEnd(LABEL_COLUMNS)}${paint.red(`${grouped(jobs.failed)} failed: tandem jobs`)}`,
    );
  return lines;
}

function jobLines({ jobs, now }: Watched): string[] {
  return jobs.slice(0, SHOWN_JOBS).map(({ job, rate }) => {
    const label = `  ${job.task.padEnd(LABEL_COLUMNS)}`;
    const { done, total } = (job.progress ?? {}) as { done?: unknown; total?: unknown };
    if (job.state !== 'active') return `${label}${job.state}`;
    if (typeof done !== 'number') return `${label}at work`;
    const work = { done, total: typeof total === 'number' ? total : 0 };
    const drawn = work.total > 0 ? `${bar(done / work.total, BAR_COLUMNS)}  ` : '';
    return `${label}${drawn}${workText(work, rate.after(done, now), '')}`;
  });
}

function problemLines(site: SiteStatus): string[] {
  const problems = readinessProblems(site);
  return problems.length === 0
    ? [paint.green('ready')]
    : problems.map((problem) => (site.gap && problem.includes('gap') ? paint.red : paint.yellow)(problem));
}
