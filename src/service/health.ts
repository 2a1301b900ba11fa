import type { LinkStatus, SiteStatus } from './status.js';

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
  if (status.gap) problems.push('the histories were cut: a comparison of the sites is due');
  return problems;
}
