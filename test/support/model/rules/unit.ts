import type { Argv } from '../redis/store.js';
import type { ValueType } from '../redis/value.js';

/**
 * What a command does to a key, as the rules see it:
 *
 * | role | meaning | commands |
 * | --- | --- | --- |
 * | `key-head` | replaces the key | `SET`, `SET … PXAT`, `DEL`, `EXPIRED` (the end of its life) |
 * | `cell-head` | replaces one cell of the key | `HSET`, `HSETEX`, `HDEL`, `FEXPIRED` (the end of a field's life), `SADD`, `SREM`, `ZADD`, `ZREM`, `SETBIT`, `XADD`, `XDEL`, `XGROUP`, `XCLAIM`, `XACK`, `GONE`, `SET … KEEPTTL` (the cell is the string) |
 * | `tail` | builds on the cell and commutes | `INCRBY` …, `HINCRBY`, `ZINCRBY`, `PFADD` |
 * | `trim` | takes off the oldest entries | `XTRIM` |
 * | `ends` | list elements by position | `RPUSH`, `LPUSH`, `LPOP`, `RPOP`, `LSET` |
 * | `edit` | list elements by content, or as many as there happen to be | `LTRIM`, `LREM`, `LINSERT` |
 * | `modify` | builds on what is there and does not commute | `APPEND`, `SETRANGE`, `ZADD NX\|XX\|GT\|LT` |
 * | `pop` | takes what happens to be first | `ZPOPMIN`, `ZPOPMAX` |
 * | `expiry` | the key's expiry | `PEXPIREAT`, `PERSIST` |
 * | `field-expiry` | the expiry of a field | `HPEXPIREAT`, `HPERSIST` |
 * | `derive` | writes keys from other keys | `RENAME`, `COPY`, `SUNIONSTORE`, a rotation (`LMOVE` of a list to itself) |
 * | `move` | takes an end of one list and puts it at an end of another | `LMOVE`, `RPOPLPUSH` |
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
  | 'field-expiry'
  | 'move'
  | 'derive';

/** Stands for an element that a move has put into a list: the stream does not say which. */
export const MOVED = 'the moved one';

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
  EXPIRED: ['key-head', undefined, true],
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
  HSETEX: ['cell-head', 'hash'],
  HPEXPIREAT: ['field-expiry', 'hash'],
  HPERSIST: ['field-expiry', 'hash'],
  FEXPIRED: ['cell-head', 'hash', true],
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
  GONE: ['cell-head', 'stream', true],
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
    case 'LMOVE':
    case 'RPOPLPUSH':
      return [move(argv)];
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
    case 'HPERSIST':
    case 'XADD':
      return [unit(argv, key, rest[0]!)];
    case 'HPEXPIREAT':
    case 'HSETEX':
    case 'FEXPIRED':
      return [unit(argv, key, rest[1]!)];
    case 'ZINCRBY':
      // Nothing takes an infinity away again, and its opposite is refused: the order matters.
      if (!Number.isFinite(Number(rest[0]))) return [{ ...unit(argv, key, ''), role: 'modify' }];
      return [unit(argv, key, rest[1]!)];
    case 'XGROUP':
      return [{ ...unit(argv, rest[0]!, `group ${rest[1]}`), removal: key === 'DESTROY' }];
    case 'XCLAIM':
      return [unit(argv, key, `pending ${rest[0]} ${rest[2]}`)];
    case 'XACK':
    case 'GONE':
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

function move(argv: Argv): Unit {
  const [, source = '', target = ''] = argv;
  // What goes round in one list is taken and put in one step: no list command alone says that.
  if (source === target) return derive(argv, source, [source], []);
  return {
    argv,
    role: 'move',
    key: target,
    writes: [source, target],
    reads: [],
    type: 'list',
    cell: '',
    removal: false,
  };
}

/** From which end of which list a move takes, and to which end of which it puts. */
export function endsOf({ argv: [, source = '', target = '', from = 'RIGHT', to = 'LEFT'] }: Unit): {
  take: Unit;
  put: Unit;
} {
  return {
    take: unit([from === 'RIGHT' ? 'RPOP' : 'LPOP', source], source, ''),
    put: unit([to === 'RIGHT' ? 'RPUSH' : 'LPUSH', target, MOVED], target, ''),
  };
}

/** What a command does to one of its keys. */
export function unitOn(whole: Unit, key: string): Unit {
  if (whole.role !== 'move') return whole;
  const { take, put } = endsOf(whole);
  return take.key === key ? take : put;
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
      return either('modify');
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

/** A deletion by ID takes an entry out of what a trim counts. */
function clashInStream(a: Unit, b: Unit): boolean {
  return (a.role === 'trim' && b.argv[0] === 'XDEL') || (b.role === 'trim' && a.argv[0] === 'XDEL');
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
  return ['XCLAIM', 'XACK', 'GONE'].includes(argv[0]!) ? argv[2] : undefined;
}

/** Whether this is the end of a key's life: its deadline has passed. */
export function isEnd({ argv }: Unit): boolean {
  return argv[0] === 'EXPIRED';
}

/** Whether this is the end of a field's life. */
export function isFieldEnd({ argv }: Unit): boolean {
  return argv[0] === 'FEXPIRED';
}

/** Milliseconds until which a `PEXPIREAT`, or for ever a `PERSIST`, lets a key live, and those of a field. */
export function lifeOf({ argv }: Unit): number {
  return argv[0] === 'PERSIST' || argv[0] === 'HPERSIST' ? Number.POSITIVE_INFINITY : Number(argv[2]);
}
