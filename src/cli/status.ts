import type { LocalConfig } from '../config/config.js';
import { byNumber, counted } from '../counted.js';
import { DIRECTIONS, readPauses, type Direction } from '../site/pauses.js';
import { pausedSince } from './pause.js';
import type { Redis } from '../redis/connect.js';
import type { KeyNames } from '../redis/keys.js';
import { isFlowing, readinessProblems, stallText } from '../observe/health.js';
import { knownLag, type KnownLag } from '../observe/lag.js';
import { readStatusKey, SILENT_MS } from '../observe/status-key.js';
import type { LinkStatus, SiteStatus } from '../observe/status.js';
import { atLocalRedis } from './clients.js';
import { bytes, duration, grouped, paint } from './terminal.js';

/** A status that is older is said to be. */
const STALE_MS = 3000;

/** What lies in the local Redis while no process runs. */
interface AtRest {
  changeListBatches: number;
  inboxBatches: number;
  /** Since when a direction is paused, ms since 1970. */
  pausedSince: Record<Direction, number | null>;
}

/**
 * Prints what the running process last wrote about itself into the local Redis. Resolves with 0, or with 1 if no
 * process runs, or with `exitCode` also when it is not ready.
 */
export function status(
  config: LocalConfig,
  { json, exitCode }: { json: boolean; exitCode: boolean },
): Promise<number> {
  return atLocalRedis(config, { purpose: 'status', untilSignal: false }, async ({ redis, keys }) => {
    const [problems, text] = await look({ redis, keys, config, json });
    console.log(text);
    if (exitCode) for (const problem of problems ?? []) console.error(`not ready: ${problem}`);
    return problems === undefined || (exitCode && problems.length > 0) ? 1 : 0;
  });
}

async function look({
  redis,
  keys,
  config,
  json,
}: {
  redis: Redis;
  keys: KeyNames;
  config: LocalConfig;
  json: boolean;
}): Promise<[problems: string[] | undefined, text: string]> {
  const found = await readStatusKey(redis, keys.status);
  if (found !== null)
    return [readinessProblems(found), json ? JSON.stringify(found) : renderStatus(found, Date.now())];
  const atRest = {
    changeListBatches: await redis.llen(keys.changes),
    inboxBatches: await redis.llen(keys.inbox),
    pausedSince: pausedSince(await readPauses(redis, keys)),
  };
  return [undefined, json ? JSON.stringify({ running: false, ...atRest }) : renderAtRest(config, atRest)];
}

/** Both directions and the sums, for a person. `now` in ms since 1970. */
export function renderStatus(site: SiteStatus, now: number): string {
  const { outbound, inbound } = site;
  const age = now - site.at;
  const stale = age > STALE_MS ? paint.yellow(`  (as of ${duration(age)} ago)`) : '';
  const out = `${site.site} → ${site.peer}`;
  const back = `${site.peer} → ${site.site}`;
  return [
    `${paint.bold(`pair ${site.pair}, site ${site.site}`)}  ${site.role}, up ${duration(site.uptimeMs)}, tandem ${site.version}${stale}`,
    '',
    ...linkLines(
      out,
      outbound,
      `${counted(outbound.changeListBatches, 'batch')} in the change list (${bytes(outbound.changeListBytes)}${roomText(outbound)}), delivered up to ${grouped(outbound.deliveredSequence)} of ${grouped(site.capture.nextSequence - 1)}, applied there up to ${grouped(outbound.seenByPeer)}`,
      { lag: knownLag(site, 'outbound'), at: site.at },
    ),
    ...linkLines(
      back,
      inbound,
      `${counted(inbound.inboxBatches, 'batch')} in the inbox (${bytes(inbound.inboxBytes)}), received up to ${grouped(inbound.receivedSequence)}, applied up to ${grouped(inbound.appliedSequence)}`,
      { lag: knownLag(site, 'inbound'), at: site.at },
    ),
    '',
    `conflicts ${conflictsText(site.conflicts)}, rejected ${grouped(site.rejected)}${pendingText(site.rejectedPending)}, late ${grouped(site.late)}, clock skew ${site.clockSkewMs === null ? 'unknown' : `${site.clockSkewMs} ms`}, epoch ${site.epoch}, memory ${bytes(site.memoryBytes)}`,
    ...otherLines(site, now),
    ...jobsLines(site.jobs),
    ...comparisonLines(site.lastComparison, now),
    ...(site.firstCopyFailure === null
      ? []
      : [
          paint.red(
            `The first copy has failed (${site.firstCopyFailure}): tandem jobs says why; tandem verify lists keys that differ.`,
          ),
        ]),
    ...(site.gap
      ? [
          paint.red(
            'A gap is open: changes are missing. The sites are compared and repaired by themselves: tandem jobs says how far it is.',
          ),
        ]
      : []),
  ].join('\n');
}

/** @param at when the status was taken, ms since 1970 */
function linkLines(
  direction: string,
  link: LinkStatus,
  where: string,
  { lag, at }: { lag: KnownLag; at: number },
): string[] {
  const state = isFlowing(link) ? paint.green(link.state) : paint.yellow(link.state);
  const stalled = link.stalledSince === null ? undefined : stallText(at - link.stalledSince);
  const details = [link.detail, stalled].filter((text) => text !== undefined);
  const detail = details.length === 0 ? '' : `: ${details.join('; ')}`;
  // What holds it up stands in the line above, or in that of the peer.
  const lagText = lag.lagMs === null ? paint.yellow(`unknown: ${lag.reason}`) : duration(lag.lagMs);
  const since = link.pausedSince === null ? '' : `paused since ${new Date(link.pausedSince).toISOString()}`;
  const paused = since === '' ? '' : paint.yellow(link.state === 'paused' ? since : `${since}; `);
  return [
    `${paint.bold(direction)}  ${link.state === 'paused' ? paused : `${paused}${state}${detail}`}`,
    `  lag ${lagText}, ${grouped(link.changesPerSecond)} changes/s, ${counted(link.changesTotal, 'change')} (${amount(link)}) since the start`,
    `  ${where}`,
  ];
}

/** What has crossed; where it was compressed, also to how much of itself. */
function amount({ bytesTotal, plainBytesTotal }: LinkStatus): string {
  if (bytesTotal >= plainBytesTotal) return bytes(bytesTotal);
  const percent = Math.round((100 * bytesTotal) / plainBytesTotal);
  return `${bytes(bytesTotal)}, ${percent} % of ${bytes(plainBytesTotal)}`;
}

/** How much the change list may have, and how long the peer may be away at the present rate. */
function roomText({
  changeListBytes,
  changeListLimitBytes: limit,
  bytesPerSecond,
}: SiteStatus['outbound']): string {
  if (limit === 0) return '';
  const leftMs = (Math.max(0, limit - changeListBytes) / bytesPerSecond) * 1000;
  return ` of ${bytes(limit)}${bytesPerSecond > 0 ? `, full in ${duration(leftMs)} without the peer, at this rate` : ''}`;
}

/** What waits for a person: the count before it is of this process alone. */
function pendingText(pending: number): string {
  return pending > 0 ? paint.yellow(` (in the list ${grouped(pending)}: tandem rejected)`) : '';
}

/** How the other site is, as it has told. */
function otherLines({ site, peer, other }: SiteStatus, now: number): string[] {
  if (other === null) return [`${peer} has not been heard of yet`];
  const { heardMs, version, outbound, inbound, gap, rejectedPending = 0 } = other;
  const ageMs = Math.max(0, now - heardMs);
  const heard = `heard of ${duration(ageMs)} ago`;
  const texts = [`tandem ${version}`, ageMs > SILENT_MS ? paint.yellow(heard) : heard];
  for (const [direction, { state, reason, pausedSince: since }] of [
    [`${peer} → ${site}`, outbound],
    [`${site} → ${peer}`, inbound],
  ] as const) {
    if (since !== null) texts.push(paint.yellow(`${direction} is paused there`));
    if (state === 'backing-off' || state === 'stopped')
      texts.push(paint.yellow(`${direction} is ${state} there${reason === undefined ? '' : ` (${reason})`}`));
  }
  if (rejectedPending > 0)
    texts.push(
      paint.yellow(
        `has rejected changes of ${site} in its list, ${grouped(rejectedPending)}: tandem rejected, there`,
      ),
    );
  if (gap) texts.push(paint.red('it has a gap'));
  return [`${peer}: ${texts.join(', ')}`];
}

/** Nothing while there is nothing to see: completed jobs are in `tandem jobs`. */
function jobsLines({ completed: _completed, faults, ...states }: SiteStatus['jobs']): string[] {
  const parts = Object.entries(states).filter(([, count]) => count > 0);
  const texts = parts.map(
    ([state, count]) => `${state} ${grouped(count)}${state === 'failed' ? ' (tandem jobs says why)' : ''}`,
  );
  if (faults > 0) texts.push(paint.yellow(`the jobs' own failures ${grouped(faults)}`));
  return texts.length === 0 ? [] : [`jobs: ${texts.join(', ')}`];
}

/** Nothing before there was one. */
function comparisonLines(last: SiteStatus['lastComparison'], now: number): string[] {
  if (last === null) return [];
  const text = `last compared ${duration(Math.max(0, now - last.at))} ago: ${counted(last.compared, 'key')}, ${grouped(last.differing)} left different`;
  return [last.differing > 0 ? paint.yellow(`${text}: tandem repair`) : text];
}

function conflictsText(conflicts: Record<string, number>): string {
  const kinds = Object.entries(conflicts).filter(([, count]) => count > 0);
  const total = kinds.reduce((sum, [, count]) => sum + count, 0);
  return total === 0
    ? '0'
    : `${grouped(total)} (${kinds.map(([kind, count]) => `${kind} ${grouped(count)}`).join(', ')})`;
}

function renderAtRest(
  { pair, site }: Pick<LocalConfig, 'pair' | 'site'>,
  { changeListBatches, inboxBatches, pausedSince: since }: AtRest,
): string {
  const paused = DIRECTIONS.filter((direction) => since[direction] !== null);
  return [
    paint.red(`No process runs for site ${site} of pair ${pair}.`),
    `${counted(changeListBatches, 'batch')} ${byNumber(changeListBatches, 'waits', 'wait')} in the change list, ${grouped(inboxBatches)} in the inbox. Start it with: tandem run`,
    ...(paused.length === 0
      ? []
      : [paint.yellow(`Paused: ${paused.join(' and ')}. Let it go on with: tandem resume`)]),
  ].join('\n');
}
