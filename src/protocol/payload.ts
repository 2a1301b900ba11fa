/** Walks through the commands of a batch's payload. */

import type { Batch } from './batch.js';
import type { CommandNames } from '../redis-commands/command-names.js';
import { CommandReader } from '../redis-commands/command-reader.js';
import {
  commandSpec,
  destinationDatabase,
  isContainer,
  readKeys,
  effectOnKey,
  recordedEffect,
  writtenKeys,
  type CommandSpec,
} from '../redis-commands/command-table.js';
import { EXPIRED } from './messages/expired.js';
import { isOfKeys, messageEffect, messageKeys } from './messages/messages.js';
import { NEED } from './messages/state-request.js';
import { parseState, STATE } from './messages/state.js';
import type { PlacedKey } from '../redis-commands/placed-key.js';
import type { RecordedEffect } from '../redis-commands/effect-code.js';
import { KeyHash } from './key-hash.js';
import { findSetOption } from '../redis-commands/options/value-options.js';
import { deadlineOf } from '../redis-commands/late-expiry.js';

/** One command of a payload, with the database it runs in. */
export interface PayloadCommand {
  /** Place among the payload's commands. */
  readonly index: number;
  readonly database: number;
  /** The name first. */
  readonly args: readonly Buffer[];
  /** Upper case, with the sub-command. */
  readonly name: string;
  readonly spec: CommandSpec | undefined;
  /** The command's bytes. */
  readonly bytes: Buffer;
}

/** Rows for commands that only the server at hand knows, by upper-case name. */
export type ExtraCommands = ReadonlyMap<string, CommandSpec>;

interface PayloadOptions {
  readonly selected?: number;
  readonly extra?: ExtraCommands | undefined;
}

/**
 * Goes through a payload and takes apart only the commands that are asked for: where two sites write much at the same time, most
 * commands of a batch still meet nothing.
 */
export class PayloadScan {
  /** Place of the current command among the payload's. */
  index = -1;
  readonly #reader = new CommandReader();
  readonly #hash = new KeyHash();
  readonly #extra: ExtraCommands | undefined;
  #database: number;

  /** @param options `selected`: the database selected before the payload */
  constructor(payload: Buffer, { selected = 0, extra }: PayloadOptions = {}) {
    this.#database = selected;
    this.#extra = extra;
    this.#reader.push(payload);
  }

  /** Moves to the next command, a `SELECT` as well; false behind the last one. */
  next(): boolean {
    if (!this.#reader.next()) return false;
    this.index++;
    if (isSelect(this.#reader)) this.#database = Number(this.#reader.argument(1).toString('latin1'));
    return true;
  }

  /**
   * Whether the current command only writes one key, without any option, and that key is not `met`.
   * @param names those of the same rows as the scan's
   */
  isPlain(names: CommandNames, met: (hash: KeyHash) => boolean): boolean {
    const { buffer, argc } = this.#reader;
    if (argc < 2) return false;
    const { plainUpTo } = names.find(buffer, this.#reader.argumentStart(0), this.#reader.argumentEnd(0));
    if (argc > plainUpTo) return false;
    this.#hash.of(this.#database, buffer, this.#reader.argumentStart(1), this.#reader.argumentEnd(1));
    return !met(this.#hash);
  }

  get command(): PayloadCommand {
    return { ...currentCommand(this.#reader, this.#database, this.#extra), index: this.index };
  }

  get bytes(): Buffer {
    return this.#reader.buffer.subarray(this.#reader.start, this.#reader.end);
  }
}

/** Every command of a payload in order; `SELECT` is shown too. */
export function* payloadCommands(payload: Buffer, options?: PayloadOptions): Generator<PayloadCommand> {
  const scan = new PayloadScan(payload, options);
  while (scan.next()) yield scan.command;
}

/** Every command of a batch but `SELECT`, with the sequence of the change it belongs to. */
export function* sequencedCommands(
  batch: Batch,
  extra?: ExtraCommands,
): Generator<{ sequence: number; command: PayloadCommand }> {
  const groupEnds = new Map<number, number>();
  for (let i = 0; i + 1 < batch.groups.length; i += 2)
    groupEnds.set(batch.groups[i]!, batch.groups[i]! + batch.groups[i + 1]!);
  let sequence = batch.first;
  let groupEnd = 0;
  for (const command of payloadCommands(batch.payload, { extra })) {
    groupEnd = groupEnds.get(command.index) ?? groupEnd;
    const selects = command.name === 'SELECT';
    if (!selects) yield { sequence, command };
    const isLastOfGroup = command.index + 1 === groupEnd;
    if (isLastOfGroup || (!selects && command.index + 1 > groupEnd)) sequence++;
  }
}

/** The command the reader stands at. */
export function currentCommand(
  reader: CommandReader,
  database: number,
  extra?: ExtraCommands,
): PayloadCommand {
  const args = reader.arguments();
  const spelt = args[0]!.toString('latin1').toUpperCase();
  const subcommand = args[1]?.toString('latin1');
  const name =
    isContainer(spelt) && subcommand !== undefined ? `${spelt} ${subcommand.toUpperCase()}` : spelt;
  return {
    index: 0,
    database,
    args,
    name,
    spec: commandSpec(spelt, subcommand) ?? extra?.get(spelt),
    bytes: reader.buffer.subarray(reader.start, reader.end),
  };
}

/**
 * Calls `each` with the hash of every key of a batch, whether what is done builds on what is there, and what deadline it gives the key,
 * in ms since 1970, or 0.
 */
export function forEachKey({
  batch,
  names,
  extra,
  each,
}: {
  batch: Batch;
  names: CommandNames;
  extra?: ExtraCommands | undefined;
  each: (hash: KeyHash, isBuild: boolean, deadline: number) => void;
}): void {
  const reader = new CommandReader();
  const hash = new KeyHash();
  reader.push(batch.payload);
  const argument = (at: number): Buffer => reader.argument(at);
  // Of the commands that put a value in place of all that was there, only this one may leave the key its deadline.
  const isKeeping = (name: string): boolean =>
    name === 'SET' && reader.argc > 3 && findSetOption(argument, reader.argc, 'KEEPTTL') > 0;
  let database = 0;
  while (reader.next()) {
    const known = names.find(reader.buffer, reader.argumentStart(0), reader.argumentEnd(0));
    if (known.name === 'SELECT') database = Number(reader.argument(1).toString('latin1'));
    else if (known.spec?.singleKey === true && reader.argc > 1) {
      hash.of(database, reader.buffer, reader.argumentStart(1), reader.argumentEnd(1));
      const { effect } = known.spec;
      const isBuild = effect === 'set' ? isKeeping(known.name) : effect !== 'remove';
      each(hash, isBuild, deadlineOf(known.name, argument, reader.argc));
    } else if (known.spec !== undefined || known.container || isOfKeys(known.name)) {
      const command = currentCommand(reader, database, extra);
      const isBuild = known.spec?.effect !== 'remove' && known.name !== EXPIRED;
      const deadline = known.name === STATE ? Number(parseState(command.args).expiry) : 0;
      for (const key of keysOf(command, 'all')) {
        hash.of(key.database, key.key, 0, key.key.length);
        each(hash, isBuild, deadline);
      }
    }
  }
}

/** The effect of a command, as the window keeps it. */
export function recordedEffectOf({ name, spec, args }: PayloadCommand): RecordedEffect {
  if (spec !== undefined) return recordedEffect(spec, args);
  return messageEffect(name, args) ?? 'unknown';
}

/** The same on one of its keys, by its place among them. */
export function recordedEffectAt(command: PayloadCommand, at: number): RecordedEffect {
  const { spec, args } = command;
  return spec === undefined ? recordedEffectOf(command) : effectOnKey(spec, args, at);
}

/** Whether a command puts a string in place of all that may be at a key. */
export function isSet({ name, spec, args }: PayloadCommand): boolean {
  return name === 'SET' && spec !== undefined && recordedEffect(spec, args) === 'set';
}

/** Every key a command writes, and reads if asked for, with its database. */
export function keysOf(command: PayloadCommand, which: 'written' | 'all'): PlacedKey[] {
  const { spec, args, database } = command;
  if (spec === undefined)
    return command.name === NEED && which === 'written' ? [] : messageKeys(command.name, args);
  const written = writtenKeys(spec, args);
  const indexes = which === 'all' ? [...written, ...readKeys(spec, args)] : written;
  const keys = indexes.map((index) => ({ database, key: args[index]! }));
  const target = destinationDatabase(spec, args);
  if (target === undefined || target === database) return keys;
  return [...keys, ...written.map((index) => ({ database: target, key: args[index]! }))];
}

function isSelect(reader: CommandReader): boolean {
  return (
    reader.argumentEnd(0) - reader.argumentStart(0) === 6 &&
    reader.argument(0).toString('latin1').toUpperCase() === 'SELECT'
  );
}

/** The name of a key in a map: its database and its name. */
export function nameOf({ database, key }: PlacedKey): string {
  return `${database}:${key.toString('latin1')}`;
}
