/**
 * A contended key cannot be watched: it may have local writes that the plan does not know of. A command that adds runs, for it takes
 * nothing from them. One that replaces or removes waits for the state of the key, which the other site is asked for.
 */

import { LACK } from '../../protocol/messages/state-request.js';
import { isWhole } from './clash.js';
import type { Piece } from '../../pieces/piece.js';
import { onlyDeadline } from './fields.js';
import type { RuleContext, Resolution } from './rule-context.js';

/** The resolution of a piece that waits for a state; undefined for one that does not. */
export function resolveContended(context: RuleContext, incoming: Piece): Resolution | undefined {
  if (!context.isContended || !waits(context, incoming)) return undefined;
  if (isOfWrittenField(context, incoming)) {
    const commands = [onlyDeadline(context, incoming)];
    return { commands, outcome: 'state-asked', held: context.held, leaves: LACK.peerRemovals };
  }
  return {
    commands: [],
    outcome: 'state-asked',
    held: context.held,
    places: { places: undefined },
    leaves: isWrite(incoming) ? LACK.peerWrites : LACK.peerRemovals,
  };
}

function waits({ isOnCell, life }: RuleContext, incoming: Piece): boolean {
  // A command that runs where the key is gone would make it anew, without a deadline.
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
      // A member or an entry is the same whichever site adds it.
      if (incoming.type === 'set' || incoming.type === 'stream') return false;
      // A cell that only the other site writes must not be left out where that is unknown: this site does not have it.
      return isOnCell(incoming.cell) === true;
    default:
      return incoming.isRemoval;
  }
}

/**
 * True for a deadline of a field that the same batch has written here. The write must not stand there without the deadline that the peer
 * gave it in the same breath.
 */
function isOfWrittenField({ hasRunOn, life }: RuleContext, { role, cell, until }: Piece): boolean {
  return role === 'field-expiry' && Number.isFinite(until) && !life.isDoubtful && hasRunOn(cell);
}

/** Whether a piece leaves something behind that the other site alone has. */
function isWrite({ role, isRemoval }: Piece): boolean {
  return role === 'state' || (!isRemoval && (role === 'key-head' || role === 'cell'));
}

/** The cell of a piece that was run: it may have taken the place of a local write there. */
export function replacedUnknown(
  { isContended, isOnCell }: RuleContext,
  { role, type, cell }: Piece,
): boolean {
  if (!isContended || role !== 'cell' || type === 'set' || type === 'stream') return false;
  return isOnCell(cell) === undefined;
}
