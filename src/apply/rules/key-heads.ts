/** Key heads: `SET`, `DEL`, a state transfer. */

import { isByPosition } from './lists.js';
import { isAbove, type Meeting, type Piece, type Resolution } from './meeting.js';

export function isKeyHead(piece: Piece): boolean {
  return piece.role === 'set' || piece.role === 'removal' || piece.role === 'derive';
}

/**
 * The higher head of the two becomes the key's value, and the own pieces after the own head run on it: back to the **own branch**
 * when the own head ranks higher, else the incoming value as the new **base**.
 */
export function resolveKeyHead({ incoming, own }: Meeting): Resolution {
  const at = own.findLastIndex(isKeyHead);
  const head = own[at];
  // What takes by position is not run again: it would take something nobody asked for.
  const after = own
    .slice(at + 1)
    .filter((piece) => !isByPosition(piece))
    .flatMap((piece) => piece.commands);
  if (head && isAbove(head.rank, incoming.rank))
    return { commands: [...head.commands, ...after], outcome: 'own-stays' };
  return {
    commands: [...incoming.commands, ...after],
    outcome: after.length > 0 ? 'merged' : 'theirs-stays',
  };
}
