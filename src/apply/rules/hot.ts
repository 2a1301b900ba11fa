/**
 * A key too hot to be watched: own writes may stand on it that nobody here knows of yet. What adds is run, for it takes nothing from
 * them. What replaces or takes away waits for the state of the key, which the other site is asked for.
 */

import { LACK } from '../../change/special.js';
import { isWhole } from './clash.js';
import type { Piece } from './meeting.js';
import type { Occasion, Resolution } from './occasion.js';

/** What becomes of a piece that waits for a state; undefined for one that does not. */
export function resolveHot(occasion: Occasion, incoming: Piece): Resolution | undefined {
  if (!occasion.isHot || !waits(occasion, incoming)) return undefined;
  return {
    commands: [],
    outcome: 'state-asked',
    held: occasion.held,
    places: { places: undefined },
    leaves: isWrite(incoming) ? LACK.writes : LACK.removals,
  };
}

function waits({ isOnCell }: Occasion, incoming: Piece): boolean {
  switch (incoming.role) {
    case 'key-head':
    case 'state':
    case 'expiry':
    case 'trim':
    case 'pop':
      return true;
    case 'cell':
      if (incoming.isRemoval || isWhole(incoming)) return true;
      // A member or an entry is the same whoever adds it.
      if (incoming.type === 'set' || incoming.type === 'stream') return false;
      return isOnCell(incoming.cell);
    default:
      return incoming.isRemoval;
  }
}

/** What leaves something behind that nobody else has. */
function isWrite({ role, isRemoval }: Piece): boolean {
  return role === 'state' || (!isRemoval && (role === 'key-head' || role === 'cell'));
}
