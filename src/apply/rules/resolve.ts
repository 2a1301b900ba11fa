/** Chooses the rule for a meeting. The README's table of concurrent writes is this file in words. */

import { resolveBuild } from './builds.js';
import { LACK } from '../../change/special.js';
import { replacedUnknown, resolveHot } from './hot.js';
import { resolveKeyHead } from './key-heads.js';
import { isState, type Piece } from './meeting.js';
import type { Occasion, Resolution } from './occasion.js';
import { resolveState } from './states.js';

export function resolve(occasion: Occasion, incoming: Piece): Resolution {
  const waiting = resolveHot(occasion, incoming);
  if (waiting) return waiting;
  if (isState(incoming)) return resolveState(occasion, incoming);
  if (incoming.role === 'key-head') return resolveKeyHead(occasion, incoming);
  const resolution = resolveBuild(occasion, incoming);
  return replacedUnknown(occasion, incoming) ? { ...resolution, leaves: LACK.own } : resolution;
}
