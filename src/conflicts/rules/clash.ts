/**
 * Clashes: two builds on one key that can neither be put in order by rank nor commute, such as two `APPEND`s, or a push against a field.
 * Both sites run what the type allows, each by its own rule. The **authority**, the site with the heaviest write of the clash, sends the
 * key's state in the same atomic step. Both find out by themselves which it is.
 */

import { isAbove, type Piece, type Role } from '../../pieces/piece.js';

/** Whether two concurrent builds on one key clash. Never an expiry. */
export function clashes(a: Piece, b: Piece): boolean {
  if (a.role === 'expiry' || b.role === 'expiry') return false;
  if (a.type !== b.type) return true;
  const either = (role: Role): boolean => a.role === role || b.role === role;
  switch (a.type) {
    case 'string':
      if (isWhole(a) || isWhole(b)) return false;
      return either('modify') || a.role !== b.role;
    case 'list':
      return either('edit') || either('modify');
    case 'stream':
      return either('modify') || clashInStream(a, b);
    default:
      return either('modify');
  }
}

/** `SET … KEEPTTL`: a head of the string itself, under every bit and sum. */
export function isWhole({ role, type, cell }: Piece): boolean {
  return role === 'cell' && type === 'string' && cell === '';
}

/** A deletion by ID takes an entry out of what a trim counts. */
function clashInStream(a: Piece, b: Piece): boolean {
  return (a.role === 'trim' && b.name === 'XDEL') || (b.role === 'trim' && a.name === 'XDEL');
}

/**
 * Whether the first decides a clash. A pop weighs most, a removal least; of the same weight the later decides. A site cannot know what the
 * other popped from a sorted set: the one that popped is the one to say.
 */
export function weighsMore(first: Piece, second: Piece): boolean {
  return weight(first) === weight(second) ? isAbove(first, second) : weight(first) > weight(second);
}

function weight({ role, isRemoval }: Piece): number {
  if (role === 'pop') return 2;
  return isRemoval ? 0 : 1;
}
