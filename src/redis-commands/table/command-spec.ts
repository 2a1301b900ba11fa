/**
 * The vocabulary of the command table: what a row says about a command, and how a row is written.
 *
 * A row describes the command **as it stands in a replication stream**: it had an effect at its origin, or it would not be there.
 */

/** Arguments `first`, `first + step`, … up to `last`. Argument 0 is the command's name; a negative `last` counts from the end, -1 is the last argument. */
export type KeyRange = { readonly first: number; readonly last: number; readonly step: number };

/** The argument at `countAt` holds how many keys there are; they begin right behind it, `step` arguments apart (1 when absent). */
export type KeyCount = { readonly countAt: number; readonly step?: number };

/**
 * Keys whose place depends on options:
 * `sort` and `georadius`: the key behind `STORE` (`STOREDIST`), the last one if given twice, as the server has it;
 * `streams`: the first half of what stands behind `STREAMS`.
 */
export type KeyFinder = 'sort' | 'georadius' | 'streams';

export type KeyPlace = KeyRange | KeyCount | KeyFinder;

/** Where the fields, members, bits or stream IDs stand that the command names. A missing `last` means: up to the last argument. */
export type CellRange = { readonly first: number; readonly step: number; readonly last?: number };

/**
 * Cells whose place depends on options: `fields` and `field-values` behind `FIELDS count`, `zadd` and `geoadd` behind the flags,
 * `vadd` behind the vector, `xadd` the entry's ID.
 */
export type CellFinder = 'fields' | 'field-values' | 'zadd' | 'geoadd' | 'vadd' | 'xadd';

/** Commands that write in another database than the selected one: `MOVE key db`, `COPY … DB db`. */
export type DatabaseFinder = 'move' | 'copy';

export type ValueType =
  | 'string'
  | 'hash'
  | 'set'
  | 'zset'
  | 'list'
  | 'stream'
  | 'hyperloglog'
  | 'vectorset'
  | 'array'
  | 'any'
  | 'none';

/**
 * What a command does to what stands at its keys, in the terms of concurrent writes:
 *
 * | effect | meaning |
 * | --- | --- |
 * | `set` | overwrites the whole key with a value that stands in the command itself, whatever was there |
 * | `remove` | takes the key away, whatever was there |
 * | `expire` | sets or takes off the key's expiry, the value stays |
 * | `cells` | overwrites the named fields, members or bits with values of its own, the others stay |
 * | `cell-remove` | takes the named fields or members away |
 * | `member`, `member-remove` | the same for members of a sorted set |
 * | `member-pop` | takes members by their place in a sorted set |
 * | `cell-expire` | sets or takes off the expiry of the named fields |
 * | `sum`, `field-sum`, `score-sum` | adds a number to a string, to a field of a hash, to the score of a member: commutes with its own kind |
 * | `union` | merges sets of observations: commutes with itself, twice is once |
 * | `push-left`, `push-right`, `pop-left`, `pop-right` | list elements at either end |
 * | `pops-left`, `pops-right` | as many of them as are asked for, or as there are |
 * | `list-edit` | list elements by position or value |
 * | `entry` | adds an entry to a stream: commutes with its own kind |
 * | `entry-trim` | takes off the oldest entries, and may add one |
 * | `entry-remove` | takes off the named entries of a stream |
 * | `delivery` | what is pending in a group of a stream, and up to where it has been delivered |
 * | `stream` | a stream and its groups otherwise: ruled by entry IDs |
 * | `modify` | builds on what is there and does not commute: order matters, or it is conditional |
 * | `derive` | the written value comes from other keys (`reads`) |
 * | `move` | as `derive`, and changes its source too (both in `writes`) |
 * | `publish` | a message, no state |
 * | `function` | the function library or the script cache |
 * | `flush`, `swap` | whole databases |
 * | `none` | no effect on the data |
 * | `unknown` | may do anything to its keys |
 */
export type Effect =
  | 'set'
  | 'remove'
  | 'expire'
  | 'cells'
  | 'cell-remove'
  | 'member'
  | 'member-remove'
  | 'member-pop'
  | 'cell-expire'
  | 'sum'
  | 'field-sum'
  | 'score-sum'
  | 'union'
  | 'push-left'
  | 'push-right'
  | 'pop-left'
  | 'pop-right'
  | 'pops-left'
  | 'pops-right'
  | 'list-edit'
  | 'entry'
  | 'entry-trim'
  | 'entry-remove'
  | 'delivery'
  | 'stream'
  | 'modify'
  | 'derive'
  | 'move'
  | 'publish'
  | 'function'
  | 'flush'
  | 'swap'
  | 'none'
  | 'unknown';

/** One row of the command table. */
export interface CommandSpec {
  /** Upper case; a container's sub-command as `XGROUP CREATE`. */
  readonly name: string;
  /** The type of the written value; `any` where the command works on every type, `none` where it writes no key. */
  readonly type: ValueType;
  /** The effect without options, or where options do not matter. `effectOf` looks at the arguments too. */
  readonly effect: Effect;
  /** The keys it may write (for a pop from the first non-empty of several keys: all of them). */
  readonly writes: readonly KeyPlace[];
  /** The keys whose value decides the outcome and that are not written themselves. */
  readonly reads: readonly KeyPlace[];
  /** Where fields or members stand, when the place is fixed. */
  readonly cells?: CellRange;
  /** How to find fields or members, when the place is not fixed. */
  readonly cellFinder?: CellFinder;
  /** Set where the command may write in a database other than the selected one. */
  readonly database?: DatabaseFinder;
  /** Exactly one key is written, argument 1 in the selected database, and nothing is read from other keys: the fast path. */
  readonly singleKey: boolean;
  /** The first versions that have the command, as `redis 7.4, valkey 9.0`; a server not named has never had it. Absent: in every supported version of both. */
  readonly since?: string;
  /** What the options make of `effect`. */
  readonly refine?: (args: readonly Buffer[]) => Effect;
  /** Whether the options say that the key's expiry stays. Absent where no option does. */
  readonly keepsExpiry?: (args: readonly Buffer[]) => boolean;
}

/** What a row may say beside name, type and effect. */
export type RowDetails = Partial<Omit<CommandSpec, 'name' | 'type' | 'effect' | 'singleKey'>>;

/** Argument 1, the place of the key in most commands. */
const FIRST_ARGUMENT: KeyRange = { first: 1, last: 1, step: 1 };

/** Every argument from `first` to `last` (the last one, if not given), `step` apart. */
export function keys(first: number, last: number = -1, step = 1): KeyRange {
  return { first, last, step };
}

/** Writes one row. Unless `details` say otherwise, the command writes the key at argument 1 and reads no other. */
export function row(name: string, type: ValueType, effect: Effect, details: RowDetails = {}): CommandSpec {
  const { writes = [FIRST_ARGUMENT], reads = [] } = details;
  const [place] = writes;
  const singleKey =
    writes.length === 1 &&
    reads.length === 0 &&
    details.database === undefined &&
    typeof place === 'object' &&
    'first' in place &&
    place.first === 1 &&
    place.last === 1;
  return Object.freeze({ name, type, effect, ...details, writes, reads, singleKey });
}
