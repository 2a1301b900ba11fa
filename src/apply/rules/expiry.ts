/** The expiry is a cell of its own: of two concurrent ones the longer life stays, and `PERSIST` is the longest. */

import { isRemoval } from './clash.js';
import { isKeyHead } from './key-heads.js';
import { nameOf } from './list-places.js';
import type { Meeting, Piece, Resolution } from './meeting.js';

/** @param own the own pieces after the last own key head */
export function resolveExpiry({ incoming, own }: Meeting): Resolution {
  const mine = own.findLast(({ role }) => role === 'expiry');
  if (!mine) return { commands: incoming.commands, outcome: 'theirs-stays' };
  const stays = lifeOf(mine) >= lifeOf(incoming);
  return {
    commands: stays ? mine.commands : incoming.commands,
    outcome: stays ? 'own-stays' : 'theirs-stays',
  };
}

/** Milliseconds since 1970 until which a key lives; infinity for `PERSIST` and `GETEX … PERSIST`. */
function lifeOf(piece: Piece): number {
  const args = piece.commands[0]!.map(String);
  const name = args[0]!.toUpperCase();
  if (name === 'PERSIST') return Infinity;
  if (name === 'EXPIREAT') return Number(args[2]) * 1000;
  if (name !== 'GETEX') return Number(args[2]);
  const at = args.findIndex((argument) => /^(EXAT|PXAT)$/i.test(argument));
  if (at < 0) return Infinity;
  return Number(args[at + 1]) * (args[at]!.toUpperCase() === 'EXAT' ? 1000 : 1);
}

/** When the expiry of a key is in doubt, and how small the key must be for it. */
export interface ExpiryDoubt {
  /** Elements that were added here without the sender knowing. */
  readonly added: number;
  readonly onlyWithExpiry: boolean;
}

/**
 * At its origin a removal may have taken the last of a key, and the expiry with it, while own additions keep both alive here. The
 * other way round, an expiry (or a group) may have been set on what own removals have taken away, while own additions have
 * brought the key back without it. Only the origin knows.
 */
export function expiryDoubt({ incoming, own }: Meeting): ExpiryDoubt | undefined {
  if (isKeyHead(incoming)) return undefined;
  const takes = isRemoval(incoming) || TAKING.has(nameOf(incoming));
  const rests = incoming.role === 'expiry' || nameOf(incoming) === 'XGROUP' || nameOf(incoming) === 'XCLAIM';
  if (!takes && !rests) return undefined;
  const isTaking = (piece: Piece): boolean => isRemoval(piece) || TAKING.has(nameOf(piece));
  if (rests && !own.some(isTaking)) return undefined;
  const added = own
    .slice(own.findLastIndex(isKeyHead) + 1)
    .reduce((sum, piece) => sum + (isTaking(piece) ? 0 : additions(piece)), 0);
  return added === 0 ? undefined : { added, onlyWithExpiry: takes };
}

const TAKING: ReadonlySet<string> = new Set([
  'LPOP',
  'RPOP',
  'LTRIM',
  'LREM',
  'XDEL',
  'XTRIM',
  'ZPOPMIN',
  'ZPOPMAX',
]);

function additions(piece: Piece): number {
  if (piece.role === 'expiry') return 0;
  if (piece.role === 'list') return piece.commands[0]!.length - 2;
  return Math.max(1, piece.cells.length);
}
