/**
 * Clashes: commands that do not commute, such as two `APPEND`s, or a list push against a hash field. The side with the latest
 * write in the clash is the **authority**: it runs the incoming command on top, and in the same atomic step sends the state of
 * the keys. The other side does nothing and waits for it. Both find out by themselves which they are.
 */

import { isAbove, type Meeting, type Piece, type Role, type Resolution } from './meeting.js';
import { nameOf } from './list-places.js';
import { clashesInStream, resolveStream } from './streams.js';

const COMMUTE_WITH_THEIR_KIND: ReadonlySet<Role> = new Set([
  'hash',
  'set-members',
  'zset',
  'bits',
  'sum',
  'union',
  'list',
  'stream',
]);

/** Whether two tails of one key do not commute. */
export function clashes(first: Piece, second: Piece): boolean {
  if (first.role === 'clash' || second.role === 'clash') return true;
  if (first.role === 'expiry' || second.role === 'expiry') return false;
  if (first.role === 'stream' && second.role === 'stream') return clashesInStream(first, second);
  return first.role !== second.role || !COMMUTE_WITH_THEIR_KIND.has(first.role);
}

export function resolveClash({ incoming, own }: Meeting): Resolution {
  const decides = own.some((piece) => weighsMore(piece, incoming));
  if (!decides) return { commands: [], outcome: 'clash-awaited' };
  const { timestamp, site } = own.reduce<Piece>(
    (best, piece) => (isAbove(piece, best) ? piece : best),
    incoming,
  );
  // A key head that lost is not run: it would replace what won. Neither is a pop: it would take what nobody asked for.
  const isLeftOut = incoming.role === 'set' || incoming.role === 'removal' || POPS.has(nameOf(incoming));
  // An entry goes to the place of its ID, which may be below the last one.
  const onTop = incoming.role === 'stream' ? resolveStream({ incoming, own }).commands : incoming.commands;
  const commands = isLeftOut ? [] : onTop;
  return { commands, outcome: 'clash-resolved', state: { timestamp, site } };
}

/** A site cannot know what the other popped from a sorted set: the one that popped is the one to say. A removal never decides. */
function weighsMore(first: Piece, second: Piece): boolean {
  return weight(first) === weight(second) ? isAbove(first, second) : weight(first) > weight(second);
}

function weight(piece: Piece): number {
  if (POPS.has(nameOf(piece))) return 2;
  return isRemoval(piece) ? 0 : 1;
}

const POPS: ReadonlySet<string> = new Set(['ZPOPMIN', 'ZPOPMAX']);

/** Whether a piece only takes away: it never decides a clash. */
export function isRemoval(piece: Piece): boolean {
  return (
    piece.role === 'removal' || (piece.cells.length > 0 && piece.cells.every(({ kind }) => kind === 'remove'))
  );
}
