/** `SET` and `DEL` of the other site. */

import { deleteList } from './lists.js';
import { beats, behindHead, isAbove, isHead, isState, latest, rankOf, type Piece } from './meeting.js';
import { NOTHING, heldAfter, type Command, type Occasion, type Resolution } from './occasion.js';
import { OwnPieces } from './own-pieces.js';
import { isByPosition, rerunAll } from './rerun.js';
import { replaceBy } from './states.js';

export function resolveKeyHead(occasion: Occasion, incoming: Piece): Resolution {
  const { own, held } = occasion;
  const state = own.lastState;
  if (!state || beats(incoming, state)) {
    const resolution = meetHead(occasion, own.users, incoming);
    // The other site ignores the state, and has yet to hear what became of the writes in it.
    return state ? { ...resolution, state: latest([incoming, ...own.all]) } : resolution;
  }
  if (own.lastHead !== state) {
    const behind = own.all.slice(own.all.indexOf(state) + 1);
    // There the state comes out on top: what its list holds then, a later own head has covered here.
    return { ...meetHead(occasion, behind, incoming), places: { places: undefined } };
  }
  if (occasion.pending) return { commands: [], outcome: 'own-stays', held };
  // What was taken by position from it comes back here; at the other site it is gone.
  const asks = own.built.some(isByPosition);
  return { ...replaceBy(occasion, state, own.built), outcome: 'own-stays', asks };
}

/**
 * No own state in the way. The higher of the two heads becomes the key's value, and the own pieces after the own head run on it:
 * back to the **own branch** when the own head ranks higher, else the incoming value as the new **base**.
 */
function meetHead(occasion: Occasion, own: readonly Piece[], incoming: Piece): Resolution {
  const { held } = occasion;
  const head = own.findLast(isHead);
  const isMine = head !== undefined && isAbove(rankOf(head), rankOf(incoming));
  // What was made of other keys cannot be made again; the other site has left it out and asks for it.
  if (head?.role === 'derive' && (isMine || incoming.isRemoval))
    return { commands: [], outcome: 'own-stays', held };
  if (incoming.isRemoval && areListWrites(own) && held.kind !== 'other')
    return deleteList({ ...occasion, own: new OwnPieces(own) }, incoming);
  const built = behindHead(own);
  const base = isMine ? head : incoming;
  const again = rerunAll(built, heldAfter(NOTHING, base));
  return {
    commands: [...replacing(base, occasion.key), ...again.commands],
    outcome: isMine ? 'own-stays' : built.length > 0 ? 'merged' : 'theirs-stays',
    held: again.held,
    places: 'forgotten',
    asks: built.some((piece) => piece.type === 'list' && isByPosition(piece)),
  };
}

/** What puts a head's value in place of whatever is there. */
function replacing({ isRemoval, command }: Piece, key: Buffer): Command[] {
  if (isRemoval) return [['DEL', key]];
  return String(command[0]).toUpperCase() === 'SET' ? [command] : [['DEL', key], command];
}

function areListWrites(own: readonly Piece[]): boolean {
  const lasting = own.filter((piece) => !isState(piece) && piece.role !== 'expiry');
  return (
    lasting.every(({ type, name }) => type === 'list' || name === 'DEL') &&
    lasting.some(({ type }) => type === 'list')
  );
}
