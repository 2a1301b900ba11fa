/**
 * Which of the application's commands cross the link, and in what words: what the configuration leaves out, what must be
 * rewritten, and which keys are written. Looks at one command at a time and changes nothing.
 */

import type { CommandNames, KnownName } from '../redis-commands/command-names.js';
import {
  commandSpec,
  destinationDatabase,
  effectOnKey,
  readKeys,
  recordedEffect,
  writtenKeys,
  type CommandSpec,
  type Effect,
} from '../redis-commands/command-table.js';
import type { Filter } from '../config/filter.js';
import type { SkipReason } from '../observe/skip-reason.js';
import type { KeyNames } from '../redis/keys.js';
import type { RecordedEffect } from '../redis-commands/effect-code.js';
import { arrivalOf } from './arrival.js';
import { rewritten } from './rewrite.js';

export interface SelectionOptions {
  readonly keys: KeyNames;
  readonly filter: Filter;
  readonly flush: 'ignore' | 'replicate';
  readonly publish: boolean;
  readonly functions: boolean;
  readonly names: CommandNames;
  readonly now?: () => number;
}

/** Something that may have moved or emptied whole databases, whether it is sent or not. */
export interface KeyspaceEvent {
  readonly event: 'flush' | 'swap';
  readonly databases: readonly number[];
}

/** A key a command writes, or only reads. */
export interface ConcernedKey {
  readonly database: number;
  readonly key: Buffer;
  readonly isRead?: true;
}

export interface Verdict {
  /** Upper case, with the sub-command. */
  readonly name: string;
  readonly effect: RecordedEffect;
  /** The effect on each of its keys, where they differ. */
  readonly effects?: readonly Effect[];
  /** Why it is left out. */
  readonly skip?: SkipReason;
  /** The keys it writes or reads. */
  readonly keys: readonly ConcernedKey[];
  /** The command to send in its place. */
  readonly instead?: readonly Buffer[];
  /** A command of Tandem's own that is sent in its place. */
  readonly special?: readonly Buffer[];
  /** Whether it is on whole databases, so that the receiver has to translate it: its internal keys must stay. */
  readonly isWhole: boolean;
  readonly keyspace: readonly KeyspaceEvent[];
}

const SENTINEL_CHANNELS = Buffer.from('__sentinel__:');

const NOTHING = { keys: [], isWhole: false, keyspace: [] } as const;

export class Selection {
  readonly #options: SelectionOptions;

  constructor(options: SelectionOptions) {
    this.#options = options;
  }

  /** @param args the name first */
  judge(known: KnownName, args: readonly Buffer[], database: number): Verdict {
    const { filter, publish, functions } = this.#options;
    const spec = known.container ? this.#subcommand(known, args) : known.spec;
    const name = spec?.name ?? known.name;
    const effect = spec === undefined ? 'unknown' : recordedEffect(spec, args);
    const left = (skip: SkipReason): Verdict => ({ ...NOTHING, name, effect, skip });
    if (effect === 'flush') return this.#flush(name, database);
    if (effect === 'swap') return this.#swap(name, args);
    if (!filter.command(name) || !filter.command(known.name)) return left('filtered');
    // How Sentinels of one primary find one another: at the other site they would be taken for its own.
    if (effect === 'publish' && isServerMessage(args[1]!)) return left('server-message');
    if (effect === 'publish' && (!publish || !filter.channel(args[1]!))) return left('publish-off');
    if (effect === 'function' && !functions) return left('functions-off');
    if (effect === 'none' || effect === 'publish' || effect === 'function')
      return { ...NOTHING, name, effect };
    return this.#keyed({ name, effect, spec, args, database });
  }

  #subcommand(known: KnownName, args: readonly Buffer[]): CommandSpec | undefined {
    if (args.length < 2) return undefined;
    const joined = Buffer.from(`${known.name} ${args[1]!.toString('latin1')}`);
    return this.#options.names.find(joined, 0, joined.length).spec;
  }

  #keyed(command: {
    name: string;
    effect: Effect;
    spec: CommandSpec | undefined;
    args: readonly Buffer[];
    database: number;
  }): Verdict {
    const { name, effect, spec, args, database } = command;
    const { filter } = this.#options;
    const written = spec === undefined ? [] : writtenKeys(spec, args);
    const read = spec === undefined ? [] : readKeys(spec, args);
    const target = spec === undefined ? undefined : destinationDatabase(spec, args);
    const skip = this.#heldBack({ args, indexes: [...written, ...read], database, target });
    if (skip !== undefined) return { ...NOTHING, name, effect, skip };
    // Keys that it reads count as well: a concurrent change to a source changes the result.
    const keys: ConcernedKey[] = [
      ...written.map((index) => ({ database, key: args[index]! })),
      ...read.map((index) => ({ database, key: args[index]!, isRead: true })),
    ];
    if (target !== undefined && target !== database)
      for (const index of written) keys.push({ database: target, key: args[index]! });
    const [first] = keys;
    if (spec?.type === 'stream' && first && filter.arrives(first.key)) {
      const special = arrivalOf(name, args, database);
      if (!special) return { ...NOTHING, name, effect, skip: 'of-arrival' };
      return { ...NOTHING, name, effect: 'arrival', keys, special };
    }
    const instead =
      spec === undefined ? undefined : rewritten(spec.name, args, this.#options.now?.() ?? Date.now());
    const effects =
      effect === 'move' && spec !== undefined
        ? written.map((_, at) => effectOnKey(spec, args, at))
        : undefined;
    if (instead === undefined) return { ...NOTHING, name, effect, keys, ...(effects ? { effects } : {}) };
    // The command that is sent counts, here as when the window is loaded from the change list.
    const sent = commandSpec(instead[0]!.toString('latin1'))!;
    return { ...NOTHING, name, effect: recordedEffect(sent, instead), keys, instead };
  }

  /** All keys of a command must pass the filter, or it would be half sent. */
  #heldBack(command: {
    args: readonly Buffer[];
    indexes: readonly number[];
    database: number;
    target: number | undefined;
  }): SkipReason | undefined {
    const { args, indexes, database, target } = command;
    const { filter, keys } = this.#options;
    const prefix = Buffer.from(keys.prefix);
    if (indexes.some((index) => args[index]!.subarray(0, prefix.length).equals(prefix)))
      return 'own-key-in-command';
    if (filter.passesAllKeys) return undefined;
    const verdicts = indexes.map((index) => filter.key(database, args[index]!));
    if (target !== undefined) verdicts.push(filter.database(target));
    if (verdicts.length === 0) verdicts.push(filter.database(database));
    if (verdicts.every(Boolean)) return undefined;
    return verdicts.some(Boolean) ? 'split-by-filter' : 'filtered';
  }

  #flush(name: string, database: number): Verdict {
    const { flush, filter } = this.#options;
    const isAll = name === 'FLUSHALL';
    const verdict: Verdict = {
      ...NOTHING,
      name,
      effect: 'flush',
      isWhole: true,
      keyspace: isAll || database === 0 ? [{ event: 'flush', databases: [0] }] : [],
    };
    if (flush === 'ignore') return { ...verdict, skip: 'flush-ignored' };
    const passes = filter.command(name) && (isAll ? filter.passesAllKeys : filter.wholeDatabase(database));
    return passes ? verdict : { ...verdict, skip: 'filtered' };
  }

  #swap(name: string, args: readonly Buffer[]): Verdict {
    const { filter } = this.#options;
    const databases = [Number(args[1]!.toString('latin1')), Number(args[2]!.toString('latin1'))];
    const passing = databases.filter((database) => filter.wholeDatabase(database) && filter.command(name));
    const verdict: Verdict = {
      ...NOTHING,
      name,
      effect: 'swap',
      isWhole: true,
      keyspace: databases.includes(0) ? [{ event: 'swap', databases }] : [],
    };
    if (passing.length === databases.length) return verdict;
    return { ...verdict, skip: passing.length === 0 ? 'filtered' : 'split-by-filter' };
  }
}

function isServerMessage(channel: Buffer): boolean {
  return channel.subarray(0, SENTINEL_CHANNELS.length).equals(SENTINEL_CHANNELS);
}
