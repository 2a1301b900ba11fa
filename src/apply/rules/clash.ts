/**
 * Clashes: commands that do not commute, such as two `APPEND`s, or a list push against a hash field. The side with the latest
 * write in the clash is the **authority**: it runs the incoming command on top, and in the same atomic step sends the state of
 * the keys. The other side does nothing and waits for it. Both find out by themselves which they are.
 */

import { isAbove, type Meeting, type Piece, type Role, type Resolution } from './meeting.js';

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
  return first.role !== second.role || !COMMUTE_WITH_THEIR_KIND.has(first.role);
}

export function resolveClash({ incoming, own }: Meeting): Resolution {
  const latest = own
    .filter(({ role }) => role !== 'removal')
    .reduce<Piece | undefined>((best, piece) => (!best || isAbove(piece, best) ? piece : best), undefined);
  if (latest && isAbove(latest, incoming))
    return {
      commands: incoming.commands,
      outcome: 'clash-resolved',
      state: { timestamp: latest.timestamp, site: latest.site },
    };
  return { commands: [], outcome: 'clash-awaited' };
}
