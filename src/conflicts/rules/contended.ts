/**
 * A key too hot to be watched: local writes may stand on it that nobody here knows of yet. What adds is run, for it takes nothing from
 * them. What replaces or takes away waits for the state of the key, which the other site is asked for.
 */

import { LACK } from '../../protocol/messages/messages.js';
import { isWhole } from './clash.js';
import type { Piece } from '../../pieces/piece.js';
import type { RuleContext, Resolution } from './rule-context.js';

/** What becomes of a piece that waits for a state; undefined for one that does not. */
export function resolveHot(context: RuleContext, incoming: Piece): Resolution | undefined {
  if (!context.isHot || !waits(context, incoming)) return undefined;
  return {
    commands: [],
    outcome: 'state-asked',
    held: context.held,
    places: { places: undefined },
    leaves: isWrite(incoming) ? LACK.writes : LACK.removals,
  };
}

function waits({ isOnCell, life }: RuleContext, incoming: Piece): boolean {
  // What would be run where there is no key any more would make it anew, without a deadline.
  if (life.isDoubtful) return true;
  switch (incoming.role) {
    case 'key-head':
    case 'state':
    case 'expiry':
    case 'field-expiry':
    case 'trim':
    case 'pop':
      return true;
    case 'cell':
      if (incoming.isRemoval || isWhole(incoming)) return true;
      // A member or an entry is the same whoever adds it.
      if (incoming.type === 'set' || incoming.type === 'stream') return false;
      // Where it is not known, a cell that only the other site writes must not be left out: nobody here has it.
      return isOnCell(incoming.cell) === true;
    default:
      return incoming.isRemoval;
  }
}

/** What leaves something behind that nobody else has. */
function isWrite({ role, isRemoval }: Piece): boolean {
  return role === 'state' || (!isRemoval && (role === 'key-head' || role === 'cell'));
}

/** What a piece that was run may have been put in the place of: a local write on its cell, if there was one. */
export function replacedUnknown({ isHot, isOnCell }: RuleContext, { role, type, cell }: Piece): boolean {
  if (!isHot || role !== 'cell' || type === 'set' || type === 'stream') return false;
  return isOnCell(cell) === undefined;
}
