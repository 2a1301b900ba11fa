import type { Run, Store } from './store.js';

type CellType = 'hash' | 'set' | 'zset' | 'hyperloglog';

/** Sets cells. False for another type, or when nothing changed and `always` is not set. */
function put(
  store: Store,
  key: string,
  type: CellType,
  cells: readonly [string, string][],
  always = false,
): boolean {
  const value = store.read(key, type);
  if (value === false) return false;
  const map = value?.cells ?? new Map<string, string>();
  let changed = always || (!value && type === 'hyperloglog');
  for (const [cell, content] of cells) {
    if (map.get(cell) === content) continue;
    map.set(cell, content);
    changed = true;
  }
  if (!value && changed) store.write(key, { type, cells: map });
  return changed;
}

function take(store: Store, key: string, type: CellType, cells: readonly string[]): boolean {
  const value = store.read(key, type);
  if (!value) return false;
  const taken = cells.filter((cell) => value.cells.delete(cell));
  store.vanishIfEmpty(key);
  return taken.length > 0;
}

function add(store: Store, key: string, type: 'hash' | 'zset', cell: string, by: string): boolean {
  const value = store.read(key, type);
  const before = Number((value || undefined)?.cells.get(cell) ?? 0);
  if (value === false || Number.isNaN(before)) return false;
  return put(store, key, type, [[cell, String(before + Number(by))]], true);
}

function pop(store: Store, key: string, count: number, sign: 1 | -1): boolean {
  const value = store.read(key, 'zset');
  if (!value) return false;
  const ordered = [...value.cells].toSorted(
    ([memberA, a], [memberB, b]) => sign * (Number(a) - Number(b) || (memberA < memberB ? -1 : 1)),
  );
  return take(
    store,
    key,
    'zset',
    ordered.slice(0, count).map(([member]) => member),
  );
}

function pairsOf(list: readonly string[]): [string, string][] {
  return list.flatMap((item, index) => (index % 2 === 0 ? [[item, list[index + 1]!]] : []));
}

/** `ZADD key [NX|XX] [GT|LT] score member …`. */
const zadd: Run = (store, [, key, ...rest]) => {
  const flags = rest.slice(
    0,
    rest.findIndex((word) => !Number.isNaN(Number(word))),
  );
  const value = store.read(key!, 'zset');
  if (value === false) return false;
  const wanted = pairsOf(rest.slice(flags.length)).filter(([score, member]) => {
    const present = value?.cells.get(member);
    if (present === undefined) return !flags.includes('XX');
    if (flags.includes('NX')) return false;
    if (flags.includes('GT')) return Number(score) > Number(present);
    return flags.includes('LT') ? Number(score) < Number(present) : true;
  });
  return (
    wanted.length > 0 &&
    put(
      store,
      key!,
      'zset',
      wanted.map(([score, member]) => [member, score]),
    )
  );
};

/** Hashes, sets, sorted sets and HyperLogLogs: maps of cells, all four. */
export const CELL_COMMANDS: Readonly<Record<string, Run>> = {
  HSET: (store, [, key, ...rest]) => put(store, key!, 'hash', pairsOf(rest), true),
  HDEL: (store, [, key, ...fields]) => take(store, key!, 'hash', fields),
  HINCRBY: (store, [, key, field, by]) => add(store, key!, 'hash', field!, by!),
  SADD: (store, [, key, ...members]) =>
    put(
      store,
      key!,
      'set',
      members.map((member) => [member, '']),
    ),
  SREM: (store, [, key, ...members]) => take(store, key!, 'set', members),
  ZADD: zadd,
  ZREM: (store, [, key, ...members]) => take(store, key!, 'zset', members),
  ZINCRBY: (store, [, key, by, member]) => add(store, key!, 'zset', member!, by!),
  ZPOPMIN: (store, [, key, count]) => pop(store, key!, Number(count ?? 1), 1),
  ZPOPMAX: (store, [, key, count]) => pop(store, key!, Number(count ?? 1), -1),
  PFADD: (store, [, key, ...observed]) =>
    put(
      store,
      key!,
      'hyperloglog',
      observed.map((item) => [item, '']),
    ),
};
