/** `SET` and `DEL` of the other site. */

import { fieldsApart } from './fields.js';
import { deleteList } from './lists.js';
import { keepingDeadline } from './lives.js';
import {
  beats,
  behindHead,
  isAbove,
  isHead,
  isState,
  latest,
  rankOf,
  type Piece,
} from '../../pieces/piece.js';
import {
  NOTHING,
  UNKNOWN,
  heldAfter,
  type Command,
  type RuleContext,
  type Resolution,
} from './rule-context.js';
import { LocalPieces } from './local-pieces.js';
import { isByPosition, rerunAll } from './rerun.js';
import { replaceBy } from './states.js';

export function resolveKeyHead(context: RuleContext, incoming: Piece): Resolution {
  const { local, held } = context;
  const state = local.lastState;
  if (!state || beats(incoming, state)) {
    const resolution = meetHead(context, local.users, incoming);
    // The other site ignores the state, and has yet to hear what became of the writes in it.
    return state ? { ...resolution, state: latest([incoming, ...local.all]) } : resolution;
  }
  if (local.lastHead !== state) {
    const behind = local.all.slice(local.all.indexOf(state) + 1);
    // There the state comes out on top: what its list holds then, a later local head has covered here.
    return { ...meetHead(context, behind, incoming), places: { places: undefined } };
  }
  if (context.pending) return { commands: [], outcome: 'own-stays', held };
  // Elements taken from it by position come back here; at the other site they are gone.
  const asks = local.built.some(isByPosition);
  return { ...replaceBy(context, state, local.built), outcome: 'own-stays', asks };
}

/**
 * No local state in the way. The higher of the two heads becomes the key's value, and the local pieces after the local head run on it:
 * back to the **own branch** when the local head ranks higher, else the incoming value as the new **base**.
 */
function meetHead(context: RuleContext, local: readonly Piece[], incoming: Piece): Resolution {
  const { held } = context;
  const head = local.findLast(isHead);
  const localStays = head !== undefined && isAbove(rankOf(head), rankOf(incoming));
  // A key made of other keys cannot be made again. The other site has left it out, and asks for it.
  if (head?.role === 'derive' && (localStays || incoming.isRemoval))
    return { commands: [], outcome: 'own-stays', held };
  if (incoming.isRemoval && areListWrites(local) && held.kind !== 'other')
    return deleteList({ ...context, local: new LocalPieces(local) }, incoming);
  // The local writes are over already, at both sites.
  const { deadline, now } = context.life;
  const isOver = held.kind === 'nothing' && typeof deadline === 'number' && deadline < now;
  if (incoming.isRemoval && isOver) return { commands: [], outcome: 'own-stays', held };
  const built = behindHead(local);
  const base = localStays ? head : incoming;
  const fields = fieldsApart(context, built);
  const again = rerunAll(fields.rest, heldAfter(NOTHING, base));
  const commands = [...replacing(base, context.key), ...again.commands, ...fields.commands];
  const keeps = base.isRemoval && incoming.isRemoval && incoming.endedAt === undefined;
  return {
    commands: keeps ? keepingDeadline(context, commands, built, true) : commands,
    outcome: localStays ? 'own-stays' : built.length > 0 ? 'merged' : 'theirs-stays',
    held: fields.commands.length > 0 ? UNKNOWN : again.held,
    places: 'forgotten',
    asks: built.some((piece) => piece.type === 'list' && isByPosition(piece)),
  };
}

/** The command that puts a head's value in place of whatever is there. */
function replacing({ isRemoval, command }: Piece, key: Buffer): Command[] {
  if (isRemoval) return [['DEL', key]];
  return String(command[0]).toUpperCase() === 'SET' ? [command] : [['DEL', key], command];
}

function areListWrites(local: readonly Piece[]): boolean {
  const lasting = local.filter((piece) => !isState(piece) && piece.role !== 'expiry');
  return (
    lasting.every(({ type, name }) => type === 'list' || name === 'DEL') &&
    lasting.some(({ type }) => type === 'list')
  );
}
