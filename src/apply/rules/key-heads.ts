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
  const isOwn = head !== undefined && isAbove(head.rank, incoming.rank);
  // What was made of other keys cannot be made again; the peer has left it out and asks for it.
  if (head?.role === 'derive' && (isOwn || incoming.role === 'removal'))
    return { commands: [], outcome: 'own-stays' };
  // A state stands for writes, it is none: one that lost changes nothing.
  if (isOwn && incoming.isState === true) return { commands: [], outcome: 'own-stays' };
  if (isOwn) return { commands: [...head.commands, ...after], outcome: 'own-stays' };
  const outcome = after.length > 0 ? 'merged' : 'theirs-stays';
  const commands = [...incoming.commands, ...after];
  if (incoming.isState !== true || head?.isState !== true) return { commands, outcome };
  // An own state that was beaten stands in the way of what the peer writes next: what has become of it is said again.
  const timestamp = Math.max(incoming.rank.timestamp, ...own.map(({ rank }) => rank.timestamp));
  return { commands, outcome, state: { timestamp, site: head.site } };
}
