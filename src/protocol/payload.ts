/**
 * A command of a batch, its keys and its effect. The peer's batches are walked over once, by `check-batch.ts`; what goes through the
 * bytes here are batches of the change list, single changes, and what could not be applied.
 */

import type { Batch } from './batch.js';
import { ChangeEnds } from './change-ends.js';
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
import { messageEffect, messageKeys } from './messages/messages.js';
import { NEED } from './messages/state-request.js';
import type { PlacedKey } from '../redis-commands/placed-key.js';
import type { RecordedEffect } from '../redis-commands/effect-code.js';

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

/** Every command of a payload in order; `SELECT` is shown too. */
export function* payloadCommands(
  payload: Buffer,
  { selected = 0, extra }: PayloadOptions = {},
): Generator<PayloadCommand> {
  const reader = new CommandReader();
  reader.push(payload);
  let database = selected;
  for (let index = 0; reader.next(); index++) {
    if (isSelect(reader)) database = Number(reader.argument(1).toString('latin1'));
    yield { ...currentCommand(reader, database, extra), index };
  }
}

/** Every command of a batch but `SELECT`, with the sequence of the change it belongs to. */
export function* sequencedCommands(
  batch: Batch,
  extra?: ExtraCommands,
): Generator<{ sequence: number; command: PayloadCommand }> {
  const ends = new ChangeEnds(batch.groups);
  let sequence = batch.first;
  for (const command of payloadCommands(batch.payload, { extra })) {
    const selects = command.name === 'SELECT';
    if (!selects) yield { sequence, command };
    if (ends.isEnd(command.index, selects)) sequence++;
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
  const subcommand = isContainer(spelt) ? args[1]?.toString('latin1') : undefined;
  const name = subcommand === undefined ? spelt : `${spelt} ${subcommand.toUpperCase()}`;
  return {
    index: 0,
    database,
    args,
    name,
    spec: commandSpec(spelt, subcommand) ?? extra?.get(spelt),
    bytes: reader.buffer.subarray(reader.start, reader.end),
  };
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

/** Whether the reader stands at a `SELECT`. */
export function isSelect(reader: CommandReader): boolean {
  return (
    reader.argumentEnd(0) - reader.argumentStart(0) === 6 &&
    reader.argument(0).toString('latin1').toUpperCase() === 'SELECT'
  );
}

/** The name of a key in a map: its database and its name. */
export function nameOf({ database, key }: PlacedKey): string {
  return `${database}:${key.toString('latin1')}`;
}
