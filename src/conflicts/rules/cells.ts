/** Cells: fields of a hash, members of a set or sorted set, bits, entries of a stream, its groups and what is pending in them. */

import { scriptSource } from '../../lua/scripts.js';
import { isWhole } from './clash.js';
import { isAbove, rankOf, type Piece } from '../../pieces/piece.js';
import { heldAfter, type Command, type RuleContext, type Resolution } from './rule-context.js';
import { insertion } from './rerun.js';
import { askBelowTrim } from './streams.js';
import { delivery } from '../stream-entries.js';

/**
 * A head of a cell. The base is the higher-ranked of it and the last local head of that cell. The local builds behind that local head run
 * on it again.
 */
export function resolveCell(context: RuleContext, incoming: Piece, isClash: boolean): Resolution {
  const { local, key, held, database, out } = context;
  if (incoming.name === 'XADD' || incoming.name === 'XDEL') return resolveEntry(context, incoming);
  const cell = onCell(context, incoming);
  const at = cell.findLastIndex((piece) => piece.role === 'cell' && isSame(piece, incoming));
  const localHead = cell[at];
  const localStays =
    localHead !== undefined &&
    (isFinal(localHead, incoming) ||
      (!isFinal(incoming, localHead) && isAbove(rankOf(localHead), rankOf(incoming))));
  const before: Command[] = [];
  // Whichever of two groups ranks higher begins anew. One that came with a state meets no local head, and stays.
  if (localHead && isGroup(incoming)) before.push(['XGROUP', 'DESTROY', key, incoming.group!]);
  // A delivery that loses has moved the group's last ID all the same.
  if (localStays && incoming.name === 'XCLAIM') before.push(incoming.command);
  const commands = settled(localStays ? localHead : incoming, cell.slice(at + 1), isClash).map((command) =>
    String(command[0]).toUpperCase() === 'XCLAIM'
      ? delivery({ database, key }, command, { out, isStrict: false })
      : command,
  );
  return {
    commands: [...before, ...commands],
    outcome: localStays
      ? 'own-stays'
      : local.all.length > 0 && localHead === undefined
        ? 'merged'
        : 'theirs-stays',
    held: isClash && held.kind === 'list' ? held : heldAfter(held, localStays ? localHead : incoming),
  };
}

/** An entry is told by its ID alone, whichever site has added it. All else shows when the command runs. */
function resolveEntry(context: RuleContext, incoming: Piece): Resolution {
  const { local, site } = context;
  const isAddition = incoming.name === 'XADD';
  return {
    commands: isAddition
      ? [...askBelowTrim(context, incoming), insertion(incoming, site)]
      : [incoming.command],
    outcome: local.all.length > 0 ? 'merged' : 'theirs-stays',
    held: heldAfter(context.held, incoming),
  };
}

/** The local pieces on the cell, and on what it holds, since a cell that holds it was last replaced. */
function onCell({ local }: RuleContext, incoming: Piece): readonly Piece[] {
  // Only a string as a whole and a group hold other cells, and are held.
  if (incoming.type !== 'string' && incoming.group === undefined) return local.fromHeadOfCell(incoming);
  const from = local.built.findLastIndex((piece) => covers(piece, incoming)) + 1;
  return local.built
    .slice(from)
    .filter((piece) => piece.role !== 'expiry' && (isSame(piece, incoming) || covers(incoming, piece)));
}

function isSame(one: Piece, other: Piece): boolean {
  return one.type === other.type && one.cell === other.cell && isWhole(one) === isWhole(other);
}

/** Whether the cell of `above` holds that of `below` in it: the string its bits and sums, a group its pending entries. */
function covers(above: Piece, below: Piece): boolean {
  if (below.role === 'expiry' || above.type !== below.type) return false;
  if (isWhole(above)) return !isWhole(below);
  return isGroup(above) && !isGroup(below) && above.group === below.group;
}

function isGroup({ name }: Piece): boolean {
  return name === 'XGROUP CREATE' || name === 'XGROUP DESTROY';
}

/** An acknowledged entry is not pending again by a delivery that had not seen it: the one removal that beats a write. */
function isFinal(one: Piece, other: Piece): boolean {
  return one.name === 'XACK' && other.name === 'XCLAIM';
}

/** The command of a cell's head. In a clash it does nothing to another type. */
function alone(head: Piece, isClash: boolean): Command {
  const { command } = head;
  return isClash && isWhole(head)
    ? ['EVAL', scriptSource('replace-string'), 1, command[1]!, ...command]
    : command;
}

/**
 * The cell as `head` has it, and the own tails on top. A removal with sums on top becomes their sum: removed and made again, the
 * last cell would take the key and its expiry with it.
 */
function settled(head: Piece, tails: readonly Piece[], isClash: boolean): Command[] {
  const amounts = tails.flatMap(({ amount }) => amount ?? []);
  if (!head.isRemoval || amounts.length === 0)
    return [alone(head, isClash), ...tails.map(({ command }) => command)];
  const [, key] = head.command;
  const cell = Buffer.from(head.cell, 'latin1');
  if (head.type === 'zset')
    return [['ZADD', key!, String(amounts.reduce((sum, amount) => sum + Number(amount), 0)), cell]];
  return [['HSET', key!, cell, String(amounts.reduce((sum, amount) => sum + BigInt(amount), 0n))]];
}
