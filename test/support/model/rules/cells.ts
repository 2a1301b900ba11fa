import { insertEntry, moveGroup } from '../redis/streams.js';
import type { Argv, Store } from '../redis/store.js';
import type { Occasion } from './occasion.js';
import { covers, lifeOf, sameCell } from './unit.js';
import { type UserWrite, above, rankOf } from './write.js';

/**
 * A head of a cell: the higher-ranked of it and the last own head of that cell is the base, and the own tails of the cell
 * after that own head are run on it again.
 */
export function applyCellHead(
  { store, key, site, tell }: Occasion,
  incoming: UserWrite,
  own: readonly UserWrite[],
): void {
  const { argv } = incoming.unit;
  // An entry is told by its ID alone, whoever has added it: of two with one ID that of the smaller site name stays.
  if (argv[0] === 'XADD' || argv[0] === 'XDEL') {
    if (argv[0] === 'XDEL') store.run(argv);
    else insertEntry(store, argv, incoming.site < site);
    return;
  }
  const covered = own.slice(own.findLastIndex(({ unit }) => covers(unit, incoming.unit)) + 1);
  const cell = covered.filter(({ unit }) => sameCell(unit, incoming.unit) || covers(incoming.unit, unit));
  const at = cell.findLastIndex(({ unit }) => unit.role === 'cell-head' && sameCell(unit, incoming.unit));
  const mine = cell[at];
  const isMine = mine !== undefined && stays(mine, incoming);
  const expiresAt = store.get(key)?.expiresAt;
  // Whichever of two groups ranks higher begins anew. One that came with a `STATE` meets no own head, and stays.
  const [name, , stream, group] = incoming.unit.argv;
  if (name === 'XGROUP' && mine) store.run(['XGROUP', 'DESTROY', stream!, group!]);
  // A delivery that loses has moved the group's last ID all the same.
  if (isMine && name === 'XCLAIM') runCell(store, incoming);
  for (const write of [isMine ? mine : incoming, ...cell.slice(at + 1)]) runCell(store, write);
  if (name === 'XCLAIM' && isGone(store, argv)) {
    const gone = ['GONE', key, argv[2]!, argv[4]!];
    store.run(gone);
    tell(gone);
  }
  // Taking the last cell away to build it anew must not take the expiry.
  const slot = store.get(key);
  if (slot) slot.expiresAt = expiresAt;
}

/** Whether the own head of a cell stays. */
function stays(mine: UserWrite, incoming: UserWrite): boolean {
  return isFinal(mine, incoming) || (!isFinal(incoming, mine) && above(rankOf(mine), rankOf(incoming)));
}

/** An acknowledged entry is not pending again by a delivery that had not seen it: the one removal that beats a write. */
function isFinal(one: UserWrite, other: UserWrite): boolean {
  return (one.unit.argv[0] === 'XACK' || one.unit.argv[0] === 'GONE') && other.unit.argv[0] === 'XCLAIM';
}

/** Whether a delivered entry is not here any more, though its group is. */
function isGone(store: Store, [, key, group, , id]: Argv): boolean {
  const stream = store.read(key!, 'stream');
  return !!stream && stream.groups.has(group!) && !stream.entries.some((entry) => entry.id === id);
}

function runCell(store: Store, { unit: { argv } }: UserWrite): void {
  store.run(argv);
  // The last ID of a group stands in the delivery, whatever has become of the entry.
  if (argv[0] === 'XCLAIM') moveGroup(store, [argv[2]!, argv[1]!, argv[4]!]);
}

/** The expiry: the longer life ranks higher, none at all highest. */
export function applyExpiry({ store }: Occasion, incoming: UserWrite, own: readonly UserWrite[]): void {
  const mine = own.findLast(({ unit }) => unit.role === 'expiry');
  store.run((mine && lifeOf(mine.unit) > lifeOf(incoming.unit) ? mine : incoming).unit.argv);
}
