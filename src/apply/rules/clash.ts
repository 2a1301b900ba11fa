/**
 * Clashes: commands that do not commute, such as two `APPEND`s, or a list push against a hash field. The side with the latest
 * write in the clash is the **authority**: it runs the incoming command on top, and in the same atomic step sends the state of
 * the keys. The other side does nothing and waits for it. Both find out by themselves which they are.
 */

import { isAbove, type Meeting, type Piece, type Role, type Resolution } from './meeting.js';
import { clashesInStream } from './streams.js';

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
  const latest = own
    .filter((piece) => !isRemoval(piece))
    .reduce<Piece | undefined>((best, piece) => (!best || isAbove(piece, best) ? piece : best), undefined);
  if (!latest || !(isRemoval(incoming) || isAbove(latest, incoming)))
    return { commands: [], outcome: 'clash-awaited' };
  // A key head that lost is not run: it would replace what won.
  const commands = incoming.role === 'set' || incoming.role === 'removal' ? [] : incoming.commands;
  return { commands, outcome: 'clash-resolved', state: { timestamp: latest.timestamp, site: latest.site } };
}

/** Whether a piece only takes away: it never decides a clash. */
function isRemoval(piece: Piece): boolean {
  return (
    piece.role === 'removal' || (piece.cells.length > 0 && piece.cells.every(({ kind }) => kind === 'remove'))
  );
}
