/** Everything but a head of the key: it builds on what is there. */

import { LACK } from '../../protocol/messages/state-request.js';
import { resolveCell } from './cells.js';
import { weighsMore } from './clash.js';
import { expiryDoubt, resolveExpiry } from './expiry.js';
import { isOfFieldLife, resolveField } from './fields.js';
import { resolveList } from './lists.js';
import { isState, latest, type Piece } from '../../pieces/piece.js';
import { heldAfter, type RuleContext, type Resolution } from './rule-context.js';
import { cutOff } from './streams.js';

export function resolveBuild(context: RuleContext, incoming: Piece): Resolution {
  const { local, pending, isAsking } = context;
  const met = pending || isAsking ? [] : local.clashingWith(incoming);
  const doubt = expiryDoubt(context, incoming);
  const resolution = { ...perform(context, incoming, met.length > 0), ...(doubt ? { doubt } : {}) };
  if (met.length === 0) return resolution;
  const localDecides = met.some((piece) => weighsMore(piece, incoming));
  return {
    ...resolution,
    outcome: localDecides ? 'clash-resolved' : 'clash-awaited',
    ...(localDecides ? { state: latest([incoming, ...local.all]) } : {}),
  };
}

function perform(context: RuleContext, incoming: Piece, isClash: boolean): Resolution {
  const { local, pending, isAsking, held } = context;
  const left: Resolution = { commands: [], outcome: 'own-stays', held };
  if (isOfFieldLife(context, incoming)) return resolveField(context, incoming);
  switch (incoming.role) {
    case 'expiry':
      return resolveExpiry(context, incoming);
    case 'cell':
      return resolveCell(context, incoming, isClash);
    case 'ends':
    case 'edit':
      return resolveList(context, incoming, isClash);
    case 'pop':
      // The first element here may not be the first one there: only the popping site knows what it took.
      if (pending || isAsking) return { ...left, lacks: LACK.peerRemovals };
      if (local.all.some(({ role }) => role !== 'expiry'))
        return isClash ? left : { ...left, asks: true, lacks: LACK.peerRemovals };
      break;
    case 'trim':
      if (pending || isAsking || (local.lastHead && isState(local.lastHead)))
        return { ...left, lacks: LACK.peerRemovals };
      return {
        ...left,
        outcome: 'merged',
        commands: [cutOff(context, incoming)],
        held: heldAfter(held, incoming),
      };
    default:
      break;
  }
  return {
    commands: [incoming.command],
    outcome: 'merged',
    held: heldAfter(held, incoming),
  };
}
