/**
 * The local pieces on one key, prepared once for all the commands of a batch that meet them: a hash that both sites write may have
 * thousands of local changes which the peer has not seen, and every incoming one meets them all.
 */

import { clashes, isWhole } from './clash.js';
import { endCode } from '../../pieces/end-code.js';
import { isHead, isState, type Piece, type StatePiece } from '../../pieces/piece.js';

/** How often the pieces are looked through for a cell before they are put in order by cells. */
const MAX_SCANS = 16;

/** Local writes of a list. */
export interface LocalList {
  /** Whether it was replaced in between. */
  readonly isReplaced: boolean;
  /** List writes and `DEL`s since, oldest first. */
  readonly listed: readonly Piece[];
}

/** What local writes did to the lives of a key, of those of an application. */
export interface LocalEnds {
  /** The last end of a life. */
  readonly last: Piece | undefined;
  /** The removals of the key as a whole, oldest first, each with whether an expiry was given behind it. */
  readonly removals: readonly { readonly piece: Piece; readonly isGivenExpiry: boolean }[];
}

export class LocalPieces {
  /** From the oldest to the newest. */
  readonly all: readonly Piece[];
  readonly lastHead: Piece | undefined;
  readonly lastState: StatePiece | undefined;
  /** The pieces behind the last head. */
  readonly built: readonly Piece[];
  readonly hasRemoval: boolean;
  /** The last expiry that was built. */
  readonly lastExpiry: Piece | undefined;
  /** The one whose origin had seen least of the other site's changes. */
  readonly leastSeen: Piece | undefined;
  /** One piece of each sort: what clashes with none of them clashes with nothing. */
  readonly #sorts: readonly Piece[];
  #users: readonly Piece[] | undefined;
  #additions: number | undefined;
  #hasFieldLives: boolean | undefined;
  #byCell: ReadonlyMap<string, readonly Piece[]> | undefined;
  #bySameCell: ReadonlyMap<string, readonly Piece[]> | undefined;
  #scans = 0;
  #list: LocalList | undefined;
  #ends: LocalEnds | undefined;
  #endCodes: ReadonlySet<number> | undefined;

  constructor(pieces: readonly Piece[]) {
    this.all = pieces;
    let hasRemoval = false;
    let [head, state]: [Piece | undefined, StatePiece | undefined] = [undefined, undefined];
    let [expiry, least]: [Piece | undefined, Piece | undefined] = [undefined, pieces[0]];
    let sorts: Piece[] = [];
    let from = 0;
    // One loop, and nothing made for each piece: it is gone through for every batch.
    for (let i = 0; i < pieces.length; i++) {
      const piece = pieces[i]!;
      if (isState(piece)) state = piece;
      if (piece.role === 'expiry') expiry = piece;
      if (piece.seen < least!.seen) least = piece;
      hasRemoval ||= piece.isRemoval || piece === state;
      if (isHead(piece)) {
        head = piece;
        from = i + 1;
        sorts = [];
        expiry = undefined;
      } else if (!sorts.some((one) => isOfSort(one, piece))) sorts.push(piece);
    }
    this.hasRemoval = hasRemoval;
    this.lastHead = head;
    this.lastState = state;
    this.lastExpiry = expiry;
    this.leastSeen = least;
    this.built = from === 0 ? pieces : pieces.slice(from);
    this.#sorts = sorts;
  }

  /** Those of an application: no states. */
  get users(): readonly Piece[] {
    this.#users ??= this.lastState ? this.all.filter((piece) => !isState(piece)) : this.all;
    return this.#users;
  }

  /** How many elements, fields, members or entries the built ones may have added. */
  get additions(): number {
    this.#additions ??= this.built.reduce((sum, piece) => sum + additionsOf(piece), 0);
    return this.#additions;
  }

  /** Whether any has to do with a deadline of a field. */
  get hasFieldLives(): boolean {
    this.#hasFieldLives ??= this.all.some(
      ({ type, role, endedAt, until }) =>
        type === 'hash' && (role === 'field-expiry' || endedAt !== undefined || until !== undefined),
    );
    return this.#hasFieldLives;
  }

  /** The built pieces that cannot be put in order with this one. */
  clashingWith(incoming: Piece): readonly Piece[] {
    const isClash = (piece: Piece): boolean => clashes(piece, incoming);
    if (!this.#sorts.some(isClash)) return [];
    return this.built.filter(isClash);
  }

  /** The built pieces on a cell. */
  onCell(cell: string): readonly Piece[] {
    this.#byCell ??= indexed(this.built, (piece) => piece.cell);
    return this.#byCell.get(cell) ?? [];
  }

  /** Whether something that was built on a cell is there. */
  leavesOn(cell: string): boolean {
    return this.onCell(cell).some(
      ({ role, isRemoval }) => role !== 'expiry' && role !== 'field-expiry' && !isRemoval,
    );
  }

  /** The built pieces on the same cell of a value of the same type, from the last head of the cell on. */
  fromHeadOfCell(incoming: Piece): readonly Piece[] {
    // An index of all pieces is more work than a look at each, unless there are many looks.
    if (++this.#scans > MAX_SCANS) {
      this.#bySameCell ??= indexed(this.built, sameCell);
      return this.#bySameCell.get(sameCell(incoming)) ?? [];
    }
    const found: Piece[] = [];
    const isWholeValue = isWhole(incoming);
    for (let i = this.built.length - 1; i >= 0; i--) {
      const piece = this.built[i]!;
      if (piece.cell !== incoming.cell || piece.type !== incoming.type || isWhole(piece) !== isWholeValue)
        continue;
      found.push(piece);
      if (piece.role === 'cell') break;
    }
    return found.toReversed();
  }

  /** What became of the key's lives. */
  get ends(): LocalEnds {
    this.#ends ??= endsOf(this.users);
    return this.#ends;
  }

  /** The codes of all that was done, where it is something at an end of a list, or that of something unknown. */
  get endCodes(): ReadonlySet<number> {
    this.#endCodes ??= new Set(this.all.map(endCode));
    return this.#endCodes;
  }

  /** The pieces on the list. */
  get list(): LocalList {
    this.#list ??= listOf(this.all);
    return this.#list;
  }
}

function additionsOf({ isRemoval, type, role, name, command }: Piece): number {
  if (isRemoval || role === 'field-expiry') return 0;
  return type === 'list' && (name === 'RPUSH' || name === 'LPUSH') ? command.length - 2 : 1;
}

function isOfSort(one: Piece, other: Piece): boolean {
  return one.name === other.name && one.role === other.role && one.type === other.type;
}

/** Two pieces are on the same cell when this is the same. */
function sameCell(piece: Piece): string {
  return `${piece.type} ${isWhole(piece)} ${piece.cell}`;
}

function endsOf(pieces: readonly Piece[]): LocalEnds {
  const lastExpiry = pieces.findLastIndex(({ role }) => role === 'expiry');
  const removals = pieces.flatMap((piece, at) =>
    piece.role === 'key-head' && piece.isRemoval ? [{ piece, isGivenExpiry: lastExpiry > at }] : [],
  );
  return { last: pieces.findLast(({ endedAt }) => endedAt !== undefined), removals };
}

/** A local state or another head than a `DEL` replaces the list: positions mean nothing any more. */
function listOf(pieces: readonly Piece[]): LocalList {
  const other = pieces.findLastIndex(
    ({ role, isRemoval }) => role === 'state' || role === 'derive' || (role === 'key-head' && !isRemoval),
  );
  return {
    isReplaced: other >= 0,
    listed: pieces.slice(other + 1).filter(({ type, name }) => type === 'list' || name === 'DEL'),
  };
}

function indexed(pieces: readonly Piece[], nameOf: (piece: Piece) => string): Map<string, Piece[]> {
  const index = new Map<string, Piece[]>();
  for (const piece of pieces) {
    const name = nameOf(piece);
    const found = index.get(name);
    if (found) found.push(piece);
    else index.set(name, [piece]);
  }
  return index;
}
