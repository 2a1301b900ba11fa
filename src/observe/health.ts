import type { LinkStatus, OtherStatus, SiteStatus } from './status.js';

/** Whether changes pass through a link, or would if there were any. */
export function isFlowing({ state }: LinkStatus): boolean {
  return state === 'streaming' || state === 'caught-up';
}

/** Why this process is not ready to serve, one reason each; empty when it is. */
export function readinessProblems(status: SiteStatus): string[] {
  if (status.role === 'standby') return [`another process works for site ${status.site}`];
  const problems: string[] = [];
  const links = [
    [`${status.site} to ${status.peer}`, status.outbound],
    [`${status.peer} to ${status.site}`, status.inbound],
  ] as const;
  for (const [direction, link] of links) {
    if (!isFlowing(link))
      problems.push(`${direction}: ${link.state}${link.detail === undefined ? '' : ` (${link.detail})`}`);
  }
  if (status.other) problems.push(...problemsThere(status, status.other));
  if (status.gap) problems.push('a gap is open: changes are missing, and a comparison of the sites is due');
  return problems;
}

/** Why changes do not pass, as far as only the other site knows. */
function problemsThere({ site, peer }: SiteStatus, { outbound, inbound, gap }: OtherStatus): string[] {
  const problems: string[] = [];
  if (outbound.pausedSince !== null) problems.push(`${peer} to ${site}: paused at ${peer}`);
  if (inbound.pausedSince !== null) problems.push(`${site} to ${peer}: paused at ${peer}`);
  if (inbound.state === 'stopped') problems.push(`${site} to ${peer}: stopped at ${peer}`);
  if (gap)
    problems.push(
      `a gap is open, as ${peer} tells: changes are missing, and a comparison of the sites is due`,
    );
  return problems;
}
