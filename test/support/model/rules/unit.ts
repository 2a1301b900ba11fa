import type { Argv } from '../redis/store.js';
import type { ValueType } from '../redis/value.js';

/**
 * What a command does to a key, as the rules see it:
 *
 * | role | meaning | commands |
 * | --- | --- | --- |
 * | `key-head` | replaces the key | `SET`, `SET … PXAT`, `DEL` |
 * | `cell-head` | replaces one cell of the key | `HSET`, `HDEL`, `SADD`, `SREM`, `ZADD`, `ZREM`, `SETBIT`, `XADD`, `XDEL`, `XGROUP`, `XCLAIM`, `XACK`, `SET … KEEPTTL` (the cell is the string) |
 * | `tail` | builds on the cell and commutes | `INCRBY` …, `HINCRBY`, `ZINCRBY`, `PFADD` |
 * | `trim` | takes off the oldest entries | `XTRIM` |
 * | `ends` | list elements by position | `RPUSH`, `LPUSH`, `LPOP`, `RPOP`, `LSET` |
 * | `edit` | list elements by content, or as many as there happen to be | `LTRIM`, `LREM`, `LINSERT` |
 * | `modify` | builds on what is there and does not commute | `APPEND`, `SETRANGE`, `ZADD NX\|XX\|GT\|LT` |
 * | `pop` | takes what happens to be first | `ZPOPMIN`, `ZPOPMAX` |
 * | `expiry` | the key's expiry | `PEXPIREAT`, `PERSIST` |
 * | `derive` | writes keys from other keys | `RENAME`, `COPY`, `SUNIONSTORE` |
 */
export type Role =
  | 'key-head'
  | 'cell-head'
  | 'tail'
  | 'trim'
  | 'ends'
  | 'edit'
  | 'modify'
  | 'pop'
  | 'expiry'
  | 'derive';

/** A command, or the part of it that concerns one cell. */
export interface Unit {
  readonly argv: Argv;
  readonly role: Role;
  /** The written key; of several (`derive`) the target. */
  readonly key: string;
  /** All written keys, and those only read. */
  readonly writes: readonly string[];
  readonly reads: readonly string[];
  /** The type it writes; undefined where any will do. */
  readonly type: ValueType | undefined;
  /** Which cell of the key; '' where the key has but one. */
  readonly cell: string;
  /** Takes away: ranks below every write. */
  readonly removal: boolean;
}

type Shape = readonly [role: Role, type: ValueType | undefined, removal?: boolean];

const SHAPES: Readonly<Record<string, Shape>> = {
  SET: ['key-head', 'string'],
  DEL: ['key-head', undefined, true],
  UNLINK: ['key-head', undefined, true],
  PEXPIREAT: ['expiry', undefined],
  PERSIST: ['expiry', undefined],
  INCR: ['tail', 'string'],
  DECR: ['tail', 'string'],
  INCRBY: ['tail', 'string'],
  DECRBY: ['tail', 'string'],
  APPEND: ['modify', 'string'],
  SETRANGE: ['modify', 'string'],
  SETBIT: ['cell-head', 'string'],
  HSET: ['cell-head', 'hash'],
  HDEL: ['cell-head', 'hash', true],
  HINCRBY: ['tail', 'hash'],
  SADD: ['cell-head', 'set'],
  SREM: ['cell-head', 'set', true],
  ZADD: ['cell-head', 'zset'],
  ZREM: ['cell-head', 'zset', true],
  ZINCRBY: ['tail', 'zset'],
  ZPOPMIN: ['pop', 'zset', true],
  ZPOPMAX: ['pop', 'zset', true],
  PFADD: ['tail', 'hyperloglog'],
  RPUSH: ['ends', 'list'],
  LPUSH: ['ends', 'list'],
  LPOP: ['ends', 'list', true],
  RPOP: ['ends', 'list', true],
  LSET: ['ends', 'list'],
  LTRIM: ['edit', 'list', true],
  LREM: ['edit', 'list', true],
  LINSERT: ['edit', 'list'],
  XADD: ['cell-head', 'stream'],
  XDEL: ['cell-head', 'stream', true],
  XTRIM: ['trim', 'stream', true],
  XGROUP: ['cell-head', 'stream'],
  XCLAIM: ['cell-head', 'stream'],
  XACK: ['cell-head', 'stream', true],
};

/** The command cut into parts of one cell each. */
export function unitsOf(argv: Argv): Unit[] {
  const [name, key = '', ...rest] = argv;
  switch (name) {
    case 'RENAME':
      return [derive(argv, rest[0]!, [rest[0]!, key], [])];
    case 'COPY':
      return [derive(argv, rest[0]!, [rest[0]!], [key])];
    case 'SUNIONSTORE':
      return [derive(argv, key, [key], rest)];
    case 'DEL':
    case 'UNLINK':
      return [key, ...rest].map((each) => unit(['DEL', each], each, ''));
    case 'SET':
      return [rest.includes('KEEPTTL') ? { ...unit(argv, key, ''), role: 'cell-head' } : unit(argv, key, '')];
    case 'HSET':
      return pairs(rest).map(([field, content]) => unit([name, key, field, content], key, field));
    case 'ZADD':
      if (Number.isNaN(Number(rest[0]))) return [{ ...unit(argv, key, ''), role: 'modify' }];
      return pairs(rest).map(([score, member]) => unit([name, key, score, member], key, member));
    case 'HDEL':
    case 'SADD':
    case 'SREM':
    case 'ZREM':
    case 'XDEL':
      return rest.map((cell) => unit([name, key, cell], key, cell));
    case 'SETBIT':
      return [unit(argv, key, `bit ${rest[0]}`)];
    case 'HINCRBY':
    case 'XADD':
      return [unit(argv, key, rest[0]!)];
    case 'ZINCRBY':
      return [unit(argv, key, rest[1]!)];
    case 'XGROUP':
      return [{ ...unit(argv, rest[0]!, `group ${rest[1]}`), removal: key === 'DESTROY' }];
    case 'XCLAIM':
      return [unit(argv, key, `pending ${rest[0]} ${rest[2]}`)];
    case 'XACK':
      return rest.slice(1).map((id) => unit([name, key, rest[0]!, id], key, `pending ${rest[0]} ${id}`));
    default:
      return [unit(argv, key, '')];
  }
}

function unit(argv: Argv, key: string, cell: string): Unit {
  const shape = SHAPES[argv[0]!];
  if (!shape) throw new Error(`the rules do not know ${argv[0]}`);
  const [role, type, removal = false] = shape;
  return { argv, role, key, writes: [key], reads: [], type, cell, removal };
}

function derive(argv: Argv, key: string, writes: string[], reads: string[]): Unit {
  return { argv, role: 'derive', key, writes, reads, type: undefined, cell: '', removal: false };
}

function pairs(list: readonly string[]): [string, string][] {
  return list.flatMap((item, index) => (index % 2 === 0 ? [[item, list[index + 1]!]] : []));
}

/** Whether two concurrent builds on one key cannot be put in order by rank or by commuting: the table's "clash". */
export function clashes(a: Unit, b: Unit): boolean {
  if (a.role === 'expiry' || b.role === 'expiry') return false;
  if (a.type !== b.type) return true;
  const either = (role: Role): boolean => a.role === role || b.role === role;
  switch (a.type) {
    case 'string':
      if (isWhole(a) || isWhole(b)) return false;
      return either('modify') || a.role !== b.role;
    case 'zset':
      return either('modify') || either('pop');
    case 'list':
      return either('edit');
    case 'stream':
      return clashInStream(a, b);
    default:
      return false;
  }
}

/** `SET … KEEPTTL`: a head of the string itself, under every bit and sum. */
function isWhole(unit_: Unit): boolean {
  return unit_.role === 'cell-head' && unit_.cell === '';
}

/** A deletion by ID takes an entry out of what a trim counts, and out of what a delivery finds. */
function clashInStream(a: Unit, b: Unit): boolean {
  const removes = (unit_: Unit): boolean => unit_.argv[0] === 'XDEL' || unit_.role === 'trim';
  const counts = (unit_: Unit): boolean => unit_.role === 'trim' || unit_.argv[0] === 'XCLAIM';
  const isPair = (left: Unit, right: Unit): boolean => removes(left) && counts(right);
  if (a.role === 'trim' && b.role === 'trim') return false;
  if (a.argv[0] === 'XADD' && b.argv[0] === 'XADD') return a.cell === b.cell;
  return isPair(a, b) || isPair(b, a);
}

/** Whether both write the same cell, neither more nor less. */
export function sameCell(a: Unit, b: Unit): boolean {
  if (a.role === 'expiry' || b.role === 'expiry') return a.role === b.role;
  return a.type === b.type && a.cell === b.cell && isWhole(a) === isWhole(b);
}

/** Whether the cell of `above` holds that of `below` in it: the string its bits and sums, a group its pending entries. */
export function covers(above: Unit, below: Unit): boolean {
  if (below.role === 'expiry' || above.type !== below.type) return false;
  if (isWhole(above)) return !isWhole(below);
  return above.argv[0] === 'XGROUP' && below.argv[0] !== 'XGROUP' && groupOf(above) === groupOf(below);
}

function groupOf({ argv }: Unit): string | undefined {
  if (argv[0] === 'XGROUP') return argv[3];
  return argv[0] === 'XCLAIM' || argv[0] === 'XACK' ? argv[2] : undefined;
}
