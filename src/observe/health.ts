import type { LinkStatus, OtherStatus, SiteStatus } from './status.js';

/** A peer's process that is started anew, or followed by another one, is heard of again by then: it tells every second. */
export const PEER_SILENT_MS = 10_000;

/**
 * For how long nothing has been heard of the peer's process, in ms: of one that was never heard of since this one began. Undefined while
 * it is heard of.
 */
function peerSilentMs({
  at,
  uptimeMs,
  other,
}: Pick<SiteStatus, 'at' | 'uptimeMs' | 'other'>): number | undefined {
  if (other === null) return uptimeMs;
  const silentMs = at - other.heardMs;
  return silentMs < PEER_SILENT_MS ? undefined : silentMs;
}

/** The same in words; undefined while the peer's process is heard of. */
export function peerSilence(
  status: Pick<SiteStatus, 'at' | 'uptimeMs' | 'other' | 'peer'>,
): string | undefined {
  const silentMs = peerSilentMs(status);
  if (silentMs === undefined) return undefined;
  return status.other === null
    ? `nothing has been heard of ${status.peer} yet`
    : `nothing has been heard of ${status.peer} for ${Math.round(silentMs / 1000)} s`;
}

/** Whether changes pass through a link, or would if there were any. */
export function isFlowing({ state, stalledSince }: Pick<LinkStatus, 'state' | 'stalledSince'>): boolean {
  return (state === 'streaming' || state === 'caught-up') && stalledSince === null;
}

/** The directions, by name. */
function linksOf({ site, peer, outbound, inbound }: SiteStatus): [direction: string, link: LinkStatus][] {
  return [
    [`${site} to ${peer}`, outbound],
    [`${peer} to ${site}`, inbound],
  ];
}

/** A direction that stands still although nothing says why, and for how long. */
export interface Stall {
  readonly direction: string;
  readonly stalledMs: number;
}

/** Those. Where a reason is known, that is told in place of it. */
export function stallsOf(status: SiteStatus): Stall[] {
  if (status.role === 'standby' || peerSilence(status) !== undefined) return [];
  const explained = standstillsThere(status);
  return linksOf(status).flatMap(([direction, link]) => {
    const { stalledSince } = link;
    if (stalledSince === null || !isFlowing({ ...link, stalledSince: null })) return [];
    if (explained.some((text) => text.startsWith(`${direction}: `))) return [];
    return [{ direction, stalledMs: status.at - stalledSince }];
  });
}

/** The same in words. */
export function stallText(stalledMs: number): string {
  return `changes wait, and none has been applied for ${Math.round(stalledMs / 1000)} s`;
}

/** Why this process is not ready to serve, one reason each; empty when it is. */
export function readinessProblems(status: SiteStatus): string[] {
  if (status.role === 'standby') return [`another process works for site ${status.site}`];
  const problems: string[] = [];
  for (const [direction, link] of linksOf(status)) {
    if (!isFlowing({ ...link, stalledSince: null }))
      problems.push(`${direction}: ${link.state}${link.detail === undefined ? '' : ` (${link.detail})`}`);
  }
  for (const { direction, stalledMs } of stallsOf(status))
    problems.push(`${direction}: ${stallText(stalledMs)}`);
  // Who does not hear its own Redis hears of nobody.
  const silence = status.capture.state === 'streaming' ? peerSilence(status) : undefined;
  if (silence !== undefined)
    problems.push(`${silence}: its process is stopped, hangs, or cannot reach the Redis of ${status.site}`);
  else if (status.other) problems.push(...problemsThere(status, status.other));
  if (status.gap)
    problems.push(
      'a gap is open: changes are missing, until the sites are compared and repaired, by themselves',
    );
  if (status.firstCopyFailure !== null)
    problems.push(
      `the first copy has failed (${status.firstCopyFailure}): what ${status.site} held before the pair began is not all at ${status.peer}`,
    );
  return problems;
}

/** Why changes do not pass at the other site, as it tells: for each direction one reason. */
export function standstillsThere({
  site,
  peer,
  other,
}: Pick<SiteStatus, 'site' | 'peer' | 'other'>): string[] {
  if (other === null) return [];
  const links = [
    [`${peer} to ${site}`, other.outbound],
    [`${site} to ${peer}`, other.inbound],
  ] as const;
  return links.flatMap(([name, { state, reason, pausedSince }]) => {
    if (pausedSince !== null) return [`${name}: paused at ${peer}`];
    if (state !== 'backing-off' && state !== 'stopped') return [];
    return [`${name}: ${state} at ${peer}${reason === undefined ? '' : ` (${reason})`}`];
  });
}

/** Why changes do not pass, as far as only the other site knows. */
function problemsThere(status: SiteStatus, { gap }: OtherStatus): string[] {
  const { peer } = status;
  const problems = standstillsThere(status);
  if (gap)
    problems.push(
      `a gap is open, as ${peer} tells: changes are missing, until the sites are compared and repaired, by themselves`,
    );
  return problems;
}
