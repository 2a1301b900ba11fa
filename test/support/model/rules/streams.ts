import { deleteEntries, movedId } from '../redis/streams.js';
import { compareIds } from '../redis/value.js';
import type { Occasion } from './occasion.js';
import type { UserWrite } from './write.js';

/**
 * Whether an entry of the other site belongs below what an own trim has left: whether that trim would have taken it, only the
 * other site can tell.
 */
export function isBelowTrim(
  { store, key }: Occasion,
  { unit }: UserWrite,
  own: readonly UserWrite[],
): boolean {
  const stream = store.read(key, 'stream');
  const oldest = stream ? stream.entries[0] : undefined;
  return own.some((write) => write.unit.role === 'trim') && (!oldest || compareIds(unit.cell, oldest.id) < 0);
}

/**
 * A trim of the other site takes off the entries its sender had: of those that are here, all but the newest so many that
 * were not added here without the sender knowing. Entries an own trim took off are older than what is left, so they do not count.
 */
export function applyTrim(
  { store, key, site: here }: Occasion,
  { unit: { argv }, site }: UserWrite,
  own: readonly UserWrite[],
): void {
  const [, , strategy, limit] = argv;
  const stream = store.read(key, 'stream');
  if (!stream) return;
  const ids = stream.entries.map(({ id }) => id);
  const added = own.filter(({ unit }) => unit.argv[0] === 'XADD').map(({ unit }) => unit.cell);
  // An own entry whose ID the other site has given to one of its own has been moved, if this site is the one that gives way.
  const unseen = new Set(added.map((id) => (here > site && ids.includes(movedId(id)) ? movedId(id) : id)));
  const known = ids.filter((id) => !unseen.has(id));
  const trimmed =
    strategy === 'MAXLEN'
      ? known.slice(0, Math.max(0, known.length - Number(limit)))
      : known.filter((id) => compareIds(id, limit!) < 0);
  deleteEntries(store, key, new Set(trimmed));
}
