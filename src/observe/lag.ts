import { isFlowing, peerSilence, stallText } from './health.js';
import type { SiteStatus } from './status.js';

/** How far a direction is behind, as far as it is known. */
export interface KnownLag {
  /** Age of the oldest change that is not applied yet, in ms; null where it is not known. */
  readonly lagMs: number | null;
  /** Why it is not known, or what holds the changes up. */
  readonly reason?: string;
}

/**
 * How far a direction is behind. It is not known behind a gap, where changes are missing that nothing counts; nor inbound while nothing is
 * heard of the peer, who alone knows what was made there. A direction that is held up and has nothing to wait for is not up to date
 * either: what is written next does not cross.
 */
export function knownLag(status: SiteStatus, direction: 'outbound' | 'inbound'): KnownLag {
  const { lagMs } = status[direction];
  const missing = gapIn(status) ?? (direction === 'inbound' ? peerSilence(status) : undefined);
  if (missing !== undefined) return { lagMs: null, reason: missing };
  const reason = holdUp(status, direction);
  if (reason === undefined) return { lagMs };
  return { lagMs: lagMs > 0 ? lagMs : null, reason };
}

function gapIn({ gap, other, peer }: SiteStatus): string | undefined {
  if (gap) return 'a gap is open: changes are missing';
  return other?.gap === true ? `a gap is open, as ${peer} tells: changes are missing` : undefined;
}

/** What keeps changes from passing, here or at the other site; undefined where nothing does. */
function holdUp(status: SiteStatus, direction: 'outbound' | 'inbound'): string | undefined {
  const link = status[direction];
  const { pausedSince, stalledSince, state, detail } = link;
  if (pausedSince !== null) return `paused since ${new Date(pausedSince).toISOString()}`;
  if (!isFlowing({ state, stalledSince: null })) return detail === undefined ? state : `${state}: ${detail}`;
  const there = direction === 'outbound' ? status.other?.inbound : status.other?.outbound;
  if (there && there.pausedSince !== null) return `paused at ${status.peer}`;
  if (there && (there.state === 'backing-off' || there.state === 'stopped'))
    return `${there.state} at ${status.peer}${there.reason === undefined ? '' : ` (${there.reason})`}`;
  return stalledSince === null ? undefined : stallText(status.at - stalledSince);
}
