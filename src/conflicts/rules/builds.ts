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
  const { own, pending, isAsking } = context;
  const met = pending || isAsking ? [] : own.clashingWith(incoming);
  const doubt = expiryDoubt(context, incoming);
  const resolution = { ...perform(context, incoming, met.length > 0), ...(doubt ? { doubt } : {}) };
  if (met.length === 0) return resolution;
  const isMine = met.some((piece) => weighsMore(piece, incoming));
  return {
    ...resolution,
    outcome: isMine ? 'clash-resolved' : 'clash-awaited',
    ...(isMine ? { state: latest([incoming, ...own.all]) } : {}),
  };
}

function perform(context: RuleContext, incoming: Piece, isClash: boolean): Resolution {
  const { own, pending, isAsking, held } = context;
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
      if (pending || isAsking) return { ...left, lacks: LACK.removals };
      if (own.all.some(({ role }) => role !== 'expiry'))
        return isClash ? left : { ...left, asks: true, lacks: LACK.removals };
      break;
    case 'trim':
      if (pending || isAsking || (own.lastHead && isState(own.lastHead)))
        return { ...left, lacks: LACK.removals };
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
