import type { CommandSpec, Effect } from './table/command-spec.js';
import { countAt, isToken } from './table/arguments.js';
import { ARRAY_COMMANDS } from './table/arrays.js';
import { HASH_COMMANDS } from './table/hashes.js';
import { KEYSPACE_COMMANDS } from './table/keyspace.js';
import { LIST_COMMANDS } from './table/lists.js';
import { MESSAGE_AND_SCRIPT_COMMANDS } from './table/messages-and-scripts.js';
import { cellIndexes, indexesAt } from './table/places.js';
import { SET_COMMANDS } from './table/sets.js';
import { SORTED_SET_COMMANDS } from './table/sorted-sets.js';
import { STREAM_COMMANDS } from './table/streams.js';
import { STRING_COMMANDS } from './table/strings.js';

export type { CommandSpec, Effect, ValueType } from './table/command-spec.js';

/**
 * The command table: every write (and message, and script) of Redis 6.2 to 8.10 and Valkey 7.2 to 9.2, with the keys it reads and writes and what it does to them.
 * It is written down by type in `command-table/`, where `redis-commands/table/command-spec.ts` says what a row means.
 *
 * To check a row, compare it with the command's page in the Redis or Valkey documentation, and with `COMMAND GETKEYSANDFLAGS` of a server.
 * Servers put many commands into the replication stream in another form (`SETEX` as `SET … PXAT`, `SPOP` as `SREM`); they have a row all the same,
 * because another version may send them as they are.
 *
 * Not in the table: what frames the stream (`SELECT`, `MULTI`, `EXEC`, `PING`, `REPLCONF`), the modules' commands, and writes that never stand in a stream
 * (`MIGRATE`, `PFDEBUG`, `CLUSTER FLUSHSLOT`).
 */
export const COMMAND_TABLE: readonly CommandSpec[] = Object.freeze([
  ...KEYSPACE_COMMANDS,
  ...STRING_COMMANDS,
  ...HASH_COMMANDS,
  ...SET_COMMANDS,
  ...SORTED_SET_COMMANDS,
  ...LIST_COMMANDS,
  ...STREAM_COMMANDS,
  ...ARRAY_COMMANDS,
  ...MESSAGE_AND_SCRIPT_COMMANDS,
]);

const BY_NAME: ReadonlyMap<string, CommandSpec> = new Map(COMMAND_TABLE.map((spec) => [spec.name, spec]));

const CONTAINERS: ReadonlySet<string> = new Set(
  COMMAND_TABLE.flatMap((spec) =>
    spec.name.includes(' ') ? [spec.name.slice(0, spec.name.indexOf(' '))] : [],
  ),
);

/**
 * The row of a command, by its name in any case. A container's command needs its sub-command; for other commands `subcommand` is ignored,
 * so the first argument may always be handed in.
 *
 * @returns `undefined` for a command the table does not know: a module's, a newer server's, or one that never writes.
 */
export function commandSpec(name: string, subcommand?: string): CommandSpec | undefined {
  const upper = name.toUpperCase();
  if (!CONTAINERS.has(upper)) return BY_NAME.get(upper);
  return subcommand === undefined ? undefined : BY_NAME.get(`${upper} ${subcommand.toUpperCase()}`);
}

/** Whether the name, in any case, is only half of a command: `XGROUP`, `FUNCTION`, `SCRIPT`. */
export function isContainer(name: string): boolean {
  return CONTAINERS.has(name.toUpperCase());
}

/** What this very command does: the row's effect, refined by the options. `args[0]` is the command's name. */
export function effectOf(spec: CommandSpec, args: readonly Buffer[]): Effect {
  return spec.refine === undefined ? spec.effect : spec.refine(args);
}

/** Indexes in `args` of the keys the command may write. With a `KeyCount` that lies, never beyond the arguments. */
export function writtenKeys(spec: CommandSpec, args: readonly Buffer[]): number[] {
  return spec.singleKey && args.length > 1 ? [1] : indexesAt(spec.writes, args);
}

/** Indexes in `args` of the keys whose values decide the outcome, apart from the written ones. */
export function readKeys(spec: CommandSpec, args: readonly Buffer[]): number[] {
  return indexesAt(spec.reads, args);
}

/** Indexes in `args` of the fields, members, bits or stream IDs the command names; empty where it names none. */
export function namedCells(spec: CommandSpec, args: readonly Buffer[]): number[] {
  return cellIndexes(args, spec.cells, spec.cellFinder);
}

/** The database the written key is in, where that is not the selected one: `MOVE key db`, `COPY source destination DB db`. */
export function destinationDatabase(spec: CommandSpec, args: readonly Buffer[]): number | undefined {
  if (spec.database === 'move') return countAt(args, 2);
  if (spec.database !== 'copy') return undefined;
  const option = args.findIndex((argument, index) => index > 2 && isToken(argument, 'DB'));
  return option < 0 ? undefined : countAt(args, option + 1);
}

/** Whether a `set` replaces the value only and leaves the key's expiry as it was: `SET … KEEPTTL`, `MSETEX … KEEPTTL`. */
export function keepsExpiry(spec: CommandSpec, args: readonly Buffer[]): boolean {
  return spec.keepsExpiry?.(args) ?? false;
}

/**
 * The effect as the window keeps it: a `set` that leaves the key's expiry as it was does not replace all that was there.
 */
export function recordedEffect(spec: CommandSpec, args: readonly Buffer[]): Effect {
  const effect = effectOf(spec, args);
  return effect === 'set' && (spec.name === 'MSETEX' || keepsExpiry(spec, args)) ? 'modify' : effect;
}

/**
 * The effect on one of the keys of a command, as the window keeps it: a move takes from one key and puts into another.
 * @param at place of the key among those that are written
 */
export function effectOnKey(spec: CommandSpec, args: readonly Buffer[], at: number): Effect {
  const effect = recordedEffect(spec, args);
  if (effect !== 'move' || at > 1) return effect;
  if (spec.name === 'SMOVE') return at === 0 ? 'cell-remove' : 'cells';
  const ends = moveEnds(spec, args);
  if (!ends) return effect;
  return at === 0 ? `pop-${ends.from}` : `push-${ends.to}`;
}

/** From which end of its list a move takes one element, and at which end of another list it puts it; nothing for any other command. */
export function moveEnds(
  spec: CommandSpec,
  args: readonly Buffer[],
): { readonly from: 'left' | 'right'; readonly to: 'left' | 'right' } | undefined {
  // A move within one list takes and puts in one step.
  if (!MOVES.has(spec.name) || args.length < 3 || args[1]!.equals(args[2]!)) return undefined;
  if (spec.name.endsWith('RPOPLPUSH')) return { from: 'right', to: 'left' };
  const side = (at: number): 'left' | 'right' => (isToken(args[at], 'LEFT') ? 'left' : 'right');
  return args.length < 5 ? undefined : { from: side(3), to: side(4) };
}

const MOVES: ReadonlySet<string> = new Set(['LMOVE', 'BLMOVE', 'RPOPLPUSH', 'BRPOPLPUSH']);
