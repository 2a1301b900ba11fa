/** Runs a piece on a value that its site had not seen. */

import type { Argument } from '../../redis-commands/encode-command.js';
import { scriptSource } from '../../lua/scripts.js';
import type { Piece } from '../../pieces/piece.js';
import { heldAfter, type Command, type Held } from './rule-context.js';

/** Takes or overwrites what happens to stand at a position: an element of a list, the first member of a sorted set. */
const BY_POSITION: ReadonlySet<string> = new Set([
  'LPOP',
  'RPOP',
  'LSET',
  'LTRIM',
  'LREM',
  'ZPOPMIN',
  'ZPOPMAX',
]);

/** Whether a piece goes by position: on a value its site had not seen, it would take another element than was meant. */
export function isByPosition({ name, isMoved }: Piece): boolean {
  return BY_POSITION.has(name) || isMoved === true;
}

/**
 * The commands that run a piece again on a value it has not seen. A piece that takes by position does not run: the elements it took come
 * back instead.
 */
export function rerun(piece: Piece, other = piece.site): Command[] {
  const { role, name, command } = piece;
  if (isByPosition(piece) || role === 'derive') return [];
  if (name === 'XADD') return [insertion(piece, other)];
  if (name === 'LINSERT')
    return [['EVAL', scriptSource('insert-beside'), 1, command[1]!, command[2]!, command[3]!, command[4]!]];
  return [command];
}

/** Pieces run again one after the other. */
export function rerunAll(
  pieces: readonly Piece[],
  held: Held,
  other?: string,
): { commands: Command[]; held: Held } {
  const commands = pieces.flatMap((piece) => rerun(piece, other));
  let after = held;
  for (const piece of pieces) if (rerun(piece).length > 0) after = heldAfter(after, piece);
  return { commands, held: after };
}

/** Puts the entry of an `XADD` at the place of its ID. @param other the site whose entry may have the same: of the two that of the smaller name stays */
export function insertion({ command, site }: Piece, other: string): Argument[] {
  const [, key, id, ...fields] = command as [Argument, Argument, Argument, ...Argument[]];
  return ['EVAL', scriptSource('insert-entries'), 1, key, site < other ? 1 : 0, id, fields.length, ...fields];
}
