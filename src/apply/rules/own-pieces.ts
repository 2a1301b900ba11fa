/**
 * The own pieces on one key, prepared once for all the commands of a batch that meet them: a hash that both sites write may have
 * thousands of own changes which the peer has not seen, and every incoming one meets them all.
 */

import { clashes } from './clash.js';
import { behindHead, isHead, isState, type Piece, type StatePiece } from './meeting.js';

export class OwnPieces {
  /** From the oldest to the newest. */
  readonly all: readonly Piece[];
  /** Those of an application: no states. */
  readonly users: readonly Piece[];
  readonly lastHead: Piece | undefined;
  readonly lastState: StatePiece | undefined;
  /** What comes after the last head. */
  readonly built: readonly Piece[];
  readonly hasRemoval: boolean;
  /** How many elements, fields, members or entries the built ones may have added. */
  readonly additions: number;
  /** One piece of each sort: what clashes with none of them clashes with nothing. */
  readonly #sorts: readonly Piece[];
  #byCell: ReadonlyMap<string, readonly Piece[]> | undefined;

  constructor(pieces: readonly Piece[]) {
    this.all = pieces;
    this.users = pieces.filter((piece) => !isState(piece));
    this.lastHead = pieces.findLast(isHead);
    this.lastState = pieces.findLast(isState);
    this.built = behindHead(pieces);
    this.hasRemoval = pieces.some((piece) => isState(piece) || piece.isRemoval);
    this.additions = this.built.reduce((sum, piece) => sum + additionsOf(piece), 0);
    this.#sorts = [...new Map(this.built.map((piece) => [sortOf(piece), piece])).values()];
  }

  /** The built pieces that cannot be put in order with this one. */
  clashingWith(incoming: Piece): readonly Piece[] {
    // Of entries only those with the same ID may clash, and a sort does not say which.
    const entries = incoming.name === 'XADD' ? this.onCell(incoming.cell) : [];
    const isClash = (piece: Piece): boolean => clashes(piece, incoming);
    if (!this.#sorts.some(isClash)) return entries.filter(isClash);
    return this.built.filter(isClash);
  }

  /** The built pieces on a cell. */
  onCell(cell: string): readonly Piece[] {
    this.#byCell ??= byCell(this.built);
    return this.#byCell.get(cell) ?? [];
  }
}

function additionsOf({ isRemoval, type, name, command }: Piece): number {
  if (isRemoval) return 0;
  return type === 'list' && (name === 'RPUSH' || name === 'LPUSH') ? command.length - 2 : 1;
}

function sortOf({ role, name, type }: Piece): string {
  return `${role} ${name} ${type}`;
}

function byCell(pieces: readonly Piece[]): Map<string, Piece[]> {
  const index = new Map<string, Piece[]>();
  for (const piece of pieces) {
    const found = index.get(piece.cell);
    if (found) found.push(piece);
    else index.set(piece.cell, [piece]);
  }
  return index;
}
