/** Chooses the rule file for a piece that meets local ones; docs/internals/conflicts.md lists them. */

import { resolveBuild } from './builds.js';
import { LACK } from '../../protocol/messages/state-request.js';
import { replacedUnknown, resolveContended } from './contended.js';
import { resolveKeyHead } from './key-heads.js';
import { resolveEnd } from './life-ends.js';
import { matchedBy, resolveOnEndedLife, withDeadline } from './lives.js';
import { isState, type Piece } from '../../pieces/piece.js';
import type { RuleContext, Resolution } from './rule-context.js';
import { resolveState } from './states.js';

export function resolve(context: RuleContext, incoming: Piece): Resolution {
  const waiting = resolveContended(context, incoming);
  if (waiting) return waiting;
  if (isState(incoming)) return resolveState(context, incoming);
  if (incoming.role === 'key-head') {
    const isEnd = incoming.endedAt !== undefined;
    const head = isEnd ? resolveEnd(context, incoming) : resolveKeyHead(context, incoming);
    return { ...head, life: { ...head.life, ...matchedBy(context, incoming) } };
  }
  const left = resolveOnEndedLife(context, incoming);
  if (left) return left;
  const resolution = withDeadline(context, incoming, resolveBuild(context, incoming));
  return replacedUnknown(context, incoming) ? { ...resolution, leaves: LACK.localWrites } : resolution;
}
