/**
 * The own pieces on one key, prepared once for all the commands of a batch that meet them: a counter that both sites increase may
 * have thousands of own changes which the peer has not seen, and every incoming one meets them all.
 */

import { isKeyHead } from './key-heads.js';
import type { Piece, Role } from './meeting.js';

/** Against their own kind, of these only that there is one matters. */
const COMMUTING: ReadonlySet<Role> = new Set(['sum', 'union']);
/** Against their own kind, of these only those on the same cells matter. */
const CELLS: ReadonlySet<Role> = new Set(['hash', 'set-members', 'zset', 'bits']);

export class OwnPieces {
  /** From the oldest to the newest. */
  readonly all: readonly Piece[];
  /** Places of the newest piece of each role. */
  readonly #newest: ReadonlyMap<Role, number>;
  #byCell: ReadonlyMap<string, readonly number[]> | undefined;

  constructor(pieces: readonly Piece[]) {
    this.all = pieces;
    this.#newest = new Map(pieces.map(({ role }, at) => [role, at]));
  }

  /** The pieces against which a command resolves as it does against all of them, in their order. */
  relevantTo(incoming: Piece): readonly Piece[] {
    const { role } = incoming;
    const isByCell = CELLS.has(role);
    if (!(isByCell || COMMUTING.has(role)) || this.#mayClash(role)) return this.all;
    const places = new Set(this.#newest.values());
    if (isByCell) for (const { name } of incoming.cells) for (const at of this.#onCell(name)) places.add(at);
    return [...places].toSorted((one, other) => one - other).map((at) => this.all[at]!);
  }

  /** In a clash every piece has its weight. */
  #mayClash(role: Role): boolean {
    return [...this.#newest].some(
      ([own, at]) => own !== role && own !== 'expiry' && !isKeyHead(this.all[at]!),
    );
  }

  #onCell(name: string): readonly number[] {
    this.#byCell ??= placesByCell(this.all);
    return this.#byCell.get(name) ?? [];
  }
}

function placesByCell(pieces: readonly Piece[]): Map<string, number[]> {
  const index = new Map<string, number[]>();
  for (const [at, { cells }] of pieces.entries()) {
    for (const { name } of cells) {
      const places = index.get(name);
      if (places) places.push(at);
      else index.set(name, [at]);
    }
  }
  return index;
}
