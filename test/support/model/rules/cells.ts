import { insertEntry } from '../redis/streams.js';
import type { Store } from '../redis/store.js';
import type { Occasion } from './occasion.js';
import { covers, sameCell } from './unit.js';
import { type UserWrite, above, rankOf } from './write.js';

/**
 * A head of a cell: the higher-ranked of it and the last own head of that cell is the base, and the own tails of the cell
 * after that own head are run on it again.
 */
export function applyCellHead(
  { store, key }: Occasion,
  incoming: UserWrite,
  own: readonly UserWrite[],
): void {
  const covered = own.slice(own.findLastIndex(({ unit }) => covers(unit, incoming.unit)) + 1);
  const cell = covered.filter(({ unit }) => sameCell(unit, incoming.unit) || covers(incoming.unit, unit));
  const at = cell.findLastIndex(({ unit }) => unit.role === 'cell-head' && sameCell(unit, incoming.unit));
  const mine = cell[at];
  const isMine =
    mine !== undefined &&
    (isFinal(mine, incoming) || (!isFinal(incoming, mine) && above(rankOf(mine), rankOf(incoming))));
  const expiresAt = store.get(key)?.expiresAt;
  // Whichever of two groups ranks higher begins anew. One that came with a `STATE` meets no own head, and stays.
  const [name, , stream, group] = incoming.unit.argv;
  if (name === 'XGROUP' && mine) store.run(['XGROUP', 'DESTROY', stream!, group!]);
  // A delivery that loses has moved the group's last ID all the same.
  if (isMine && name === 'XCLAIM') runCell(store, incoming);
  for (const write of [isMine ? mine : incoming, ...cell.slice(at + 1)]) runCell(store, write);
  // Taking the last cell away to build it anew must not take the expiry.
  const slot = store.get(key);
  if (slot) slot.expiresAt = expiresAt;
}

/** An acknowledged entry is not pending again by a delivery that had not seen it: the one removal that beats a write. */
function isFinal(one: UserWrite, other: UserWrite): boolean {
  return one.unit.argv[0] === 'XACK' && other.unit.argv[0] === 'XCLAIM';
}

function runCell(store: Store, { unit: { argv } }: UserWrite): void {
  if (argv[0] === 'XADD') {
    insertEntry(store, argv);
    return;
  }
  store.run(argv);
}

/** The expiry: the longer life ranks higher, none at all highest. */
export function applyExpiry({ store }: Occasion, incoming: UserWrite, own: readonly UserWrite[]): void {
  const mine = own.findLast(({ unit }) => unit.role === 'expiry');
  store.run((mine && lifeOf(mine) > lifeOf(incoming) ? mine : incoming).unit.argv);
}

function lifeOf({ unit: { argv } }: UserWrite): number {
  return argv[0] === 'PERSIST' ? Number.POSITIVE_INFINITY : Number(argv[2]);
}
