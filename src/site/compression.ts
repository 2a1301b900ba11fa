/** By what the batches of a site are packed. */

import type { Config } from '../config/config.js';
import { READABLE, type Algorithm } from '../protocol/packing.js';

/** A way to the peer that takes less is near: there its bytes cost less than the processor's time. */
const FAR_MS = 5;

/** What is known of the way to the peer. */
export interface Way {
  /** In ms; undefined while unknown. */
  readonly roundTripMs: number | undefined;
  /** What the peer has said that it can read; undefined before it was met. */
  readonly peerReads: readonly string[] | undefined;
}

/**
 * The algorithm for the next batch; undefined for none. What is named is used unless the peer is known not to read it: the courier unpacks
 * what the peer turns out not to read. `auto` is brotli where the way is long, or its bytes are bounded.
 */
export function algorithmFor(
  { compress, wanBytesPerSecond }: Pick<Config, 'compress' | 'wanBytesPerSecond'>,
  { roundTripMs, peerReads }: Way,
): Algorithm | undefined {
  if (compress === 'none') return undefined;
  const isScarce = wanBytesPerSecond > 0 || (roundTripMs ?? 0) >= FAR_MS;
  if (compress === 'auto' && (peerReads === undefined || !isScarce)) return undefined;
  const algorithm = compress === 'auto' ? 'brotli' : compress;
  const isRead = peerReads?.includes(algorithm) ?? true;
  return isRead && READABLE.includes(algorithm) ? algorithm : undefined;
}
