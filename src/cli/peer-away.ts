import { setTimeout as sleep } from 'node:timers/promises';
import { TandemError, type ErrorCode } from '../errors.js';
import { readStatusKey } from '../observe/status-key.js';
import type { LocalSite } from './local-site.js';

/** A peer that is started anew is there again by then, or is waited for in vain. */
const AWAY_MS = 2500;
const LOOK_MS = 250;

/** Reasons that pass while one waits. */
const PASSING: readonly string[] = ['SERVER_BUSY', 'PEER_NOT_READY', 'CLOSED'] satisfies ErrorCode[];

/**
 * Resolves with why nothing can come of the peer, once the running process has told so for a while without a break; with undefined when
 * the signal aborts.
 */
export async function untilPeerIsAway(
  { redis, keys }: LocalSite,
  signal: AbortSignal,
): Promise<TandemError | undefined> {
  let since = Date.now();
  for (;;) {
    await sleep(LOOK_MS, undefined, { signal }).catch(() => {});
    if (signal.aborted) return undefined;
    const status = await readStatusKey(redis, keys.status).catch(() => null);
    const { state, reason, detail } = status?.outbound ?? {};
    if (state !== 'backing-off' || reason === undefined || detail === undefined || PASSING.includes(reason))
      since = Date.now();
    if (Date.now() - since > AWAY_MS)
      return new TandemError(reason as ErrorCode, `${status!.peer} cannot be reached: ${detail}`, {
        hint: 'tandem check looks at both ends',
      });
  }
}
