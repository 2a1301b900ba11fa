/** The end of a key's life at the other site; see `lives.ts`. */

import { lifeOf } from './expiry.js';
import { resolveKeyHead } from './key-heads.js';
import { isAbsent } from '../../protocol/messages/state.js';
import { latest, type Piece, type StatePiece } from '../../pieces/piece.js';
import { NOTHING, type RuleContext, type Resolution } from './rule-context.js';
import { LocalPieces } from './local-pieces.js';

/** The end of a life at the other site. */
export function resolveEnd(context: RuleContext, incoming: Piece): Resolution {
  const { local, held, life, key } = context;
  const stays: Resolution = { commands: [], outcome: 'own-stays', held };
  const head = local.users.findLast(({ role }) => role === 'key-head' || role === 'derive');
  const isOfBefore = head !== undefined && head.isRemoval && head.sequence <= life.matchedThrough;
  // It has ended at both sites, and what follows here is a new one.
  if (head?.endedAt !== undefined && !isOfBefore) return stays;
  const built = head ? local.users.slice(local.users.indexOf(head) + 1) : local.users;
  if (head && !isOfBefore) {
    if (!head.isRemoval || life.deadline === 'none') return withoutStates(context, incoming);
    // A write behind a local removal belongs to a life of this site's, or was built on the one that ends: the other site is asked.
    if (built.length > 0 && built[0]!.role !== 'expiry')
      return { ...stays, outcome: 'state-asked', asks: true };
  }
  const ended = { isEnded: true };
  const putOff = Math.max(lastLife(built), lastState(local.lastState));
  if (putOff > Math.max(life.now, incoming.endedAt!)) return stays;
  if (built.length > 0 && putOff === 0 && life.deadline === 'none') return withoutStates(context, incoming);
  const outcome = built.length > 0 ? 'theirs-stays' : 'merged';
  return { commands: [['DEL', key]], outcome, held: NOTHING, places: 'forgotten', life: ended };
}

/** Resolves the end as a `DEL`; local states do not count. Where there is one, the key's state is sent. */
function withoutStates(context: RuleContext, incoming: Piece): Resolution {
  const { local } = context;
  if (!local.lastState) return resolveKeyHead(context, incoming);
  const alone = new LocalPieces(local.users);
  return {
    ...resolveKeyHead({ ...context, local: alone }, incoming),
    state: latest([incoming, ...local.all]),
  };
}

function lastLife(built: readonly Piece[]): number {
  const expiry = built.findLast(({ role }) => role === 'expiry');
  return expiry ? lifeOf(expiry) : 0;
}

function lastState(state: StatePiece | undefined): number {
  if (!state || isAbsent(state.state)) return 0;
  const expiry = Number(state.state.expiry);
  return expiry === 0 ? Infinity : expiry;
}
