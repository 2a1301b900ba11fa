/** Cells: fields of a hash, members of a set or sorted set, bits. Each is resolved by itself. */

import type { Argument } from '../../change/encode-command.js';
import {
  isAbove,
  REMOVAL_TIMESTAMP,
  type Cell,
  type Meeting,
  type Piece,
  type Rank,
  type Resolution,
} from './meeting.js';

/** A cell's command with what its piece knows. */
interface RankedCell extends Cell {
  readonly rank: Rank;
}

/** @param own the own pieces after the last own key head */
export function resolveCells({ incoming, own }: Meeting): Resolution {
  const commands: (readonly Argument[])[] = [];
  let ownStays = 0;
  for (const cell of incoming.cells) {
    const mine = own.flatMap((piece) =>
      piece.cells.filter(({ name }) => name === cell.name).map((one) => ranked(one, piece)),
    );
    if (mine.length === 0) commands.push(cell.command);
    else if (cell.kind === 'sum') commands.push(cell.command);
    else {
      const at = mine.findLastIndex(({ kind }) => kind !== 'sum');
      const head = mine[at];
      const theirs = ranked(cell, incoming);
      const stays = head !== undefined && isAbove(head.rank, theirs.rank);
      if (stays) ownStays++;
      commands.push(...settled(stays ? head : theirs, mine.slice(at + 1)));
    }
  }
  return {
    commands,
    outcome: ownStays === 0 ? 'theirs-stays' : ownStays === incoming.cells.length ? 'own-stays' : 'merged',
  };
}

function ranked(cell: Cell, piece: Piece): RankedCell {
  return {
    ...cell,
    rank: cell.kind === 'remove' ? { timestamp: REMOVAL_TIMESTAMP, site: piece.site } : piece.rank,
  };
}

/**
 * The cell as `head` has it, and the own sums on top. A removal with sums on top becomes their sum: removed and made again, the
 * last cell would take the key and its expiry with it.
 */
function settled(head: RankedCell, sums: readonly Cell[]): (readonly Argument[])[] {
  if (head.kind !== 'remove' || sums.length === 0)
    return [head.command, ...sums.map(({ command }) => command)];
  const [name, key] = sums[0]!.command as [Argument, Argument];
  const cell = Buffer.from(head.name, 'latin1');
  const amounts = sums.map(({ amount }) => amount!);
  if (String(name).toUpperCase() === 'ZINCRBY')
    return [['ZADD', key, String(amounts.reduce((sum, amount) => sum + Number(amount), 0)), cell]];
  return [['HSET', key, cell, String(amounts.reduce((sum, amount) => sum + BigInt(amount), 0n))]];
}
