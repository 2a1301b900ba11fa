/** The expiry is a cell of its own: of two concurrent ones the longer life stays, and `PERSIST` is the longest. */

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
