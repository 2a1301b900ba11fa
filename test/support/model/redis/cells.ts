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
  const after = before + Number(by);
  // An infinity less an infinity is refused.
  return !Number.isNaN(after) && put(store, key, type, [[cell, String(after)]], true);
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

/** Takes the deadlines of fields off, or puts others in their place. */
function until(store: Store, key: string, fields: readonly string[], at?: number): boolean {
  const value = store.read(key, 'hash');
  if (!value) return false;
  const deadlines = new Map(value.deadlines);
  const present = fields.filter((field) => value.cells.has(field));
  const changed = present.filter((field) => deadlines.get(field) !== at);
  for (const field of fields) deadlines.delete(field);
  if (at !== undefined) for (const field of present) deadlines.set(field, at);
  store.write(key, { ...value, deadlines });
  return changed.length > 0;
}

const hset: Run = (store, [, key, ...rest]) => {
  if (!put(store, key!, 'hash', pairsOf(rest), true)) return false;
  until(
    store,
    key!,
    pairsOf(rest).map(([field]) => field),
  );
  return true;
};

const hdel: Run = (store, [, key, ...fields]) => {
  until(store, key!, fields);
  return take(store, key!, 'hash', fields);
};

/** Hashes, sets, sorted sets and HyperLogLogs: maps of cells, all four. */
export const CELL_COMMANDS: Readonly<Record<string, Run>> = {
  HSET: hset,
  HDEL: hdel,
  /** `HPEXPIREAT key milliseconds field`, `HPERSIST key field`, `HSETEX key milliseconds field content`, without the counts of fields. */
  HPEXPIREAT: (store, [, key, at, field]) => until(store, key!, [field!], Number(at)),
  HPERSIST: (store, [, key, field]) => until(store, key!, [field!]),
  HSETEX: (store, [, key, at, field, content]) =>
    hset(store, ['HSET', key!, field!, content!]) && (until(store, key!, [field!], Number(at)), true),
  /** The end of a field's life as it is captured: `FEXPIRED key deadline field`. */
  FEXPIRED: (store, [, key, , field]) => hdel(store, ['HDEL', key!, field!]),
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
