/** Chooses the rule for a meeting. The README's table of concurrent writes is this file in words. */

import { resolveBuild } from './builds.js';
import { resolveHot } from './hot.js';
import { resolveKeyHead } from './key-heads.js';
import { isState, type Piece } from './meeting.js';
import type { Occasion, Resolution } from './occasion.js';
import { resolveState } from './states.js';

export function resolve(occasion: Occasion, incoming: Piece): Resolution {
  const waiting = resolveHot(occasion, incoming);
  if (waiting) return waiting;
  if (isState(incoming)) return resolveState(occasion, incoming);
  return incoming.role === 'key-head' ? resolveKeyHead(occasion, incoming) : resolveBuild(occasion, incoming);
}
