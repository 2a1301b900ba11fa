/**
 * Looks through every batch before anything of it is sent. The commands go raw into a transaction of an account with all rights,
 * so what the peer's account put into the inbox, or damage, must not become anything but changes of data:
 *
 * | found | what follows |
 * | --- | --- |
 * | bytes that are no commands, another number of them than the header says, a command this server knows that is no write (`EXEC`, `CONFIG` …), a key of Tandem's own | the batch is refused, and the link stops |
 * | a command this server does not know, a script, a database it does not have | that command is left out and listed, the rest is applied |
 */

import { counted } from '../counted.js';
import type { Batch } from './batch.js';
import { BatchIndex, IndexSpace } from './batch-index.js';
import { CommandNames, type ServerCommands } from '../redis-commands/command-names.js';
import { wallMs } from './clock.js';
import { CommandReader } from '../redis-commands/command-reader.js';
import { effectOf, type CommandSpec } from '../redis-commands/command-table.js';
import type { PlacedKey } from '../redis-commands/placed-key.js';
import { EXPIRED } from './messages/expired.js';
import { ARRIVAL } from './messages/arrival.js';
import { LIBRARY } from './messages/library.js';
import { NEED } from './messages/state-request.js';
import { messageKind } from './messages/messages.js';
import type { MessageKind } from './messages/message-kind.js';
import { isInParts, madeBy, STATE } from './messages/state.js';
import { elementNames } from './elements.js';
import { KeyHash } from './key-hash.js';
import { TandemError } from '../errors.js';
import { deadlineOf, isSoon } from '../redis-commands/late-expiry.js';
import { currentCommand, keysOf, type PayloadCommand } from './payload.js';

export interface BatchCheckOptions {
  readonly server: ServerCommands;
  /** How many databases the server has. */
  readonly databases: number;
  /** The start of every internal key. */
  readonly internalPrefix: string;
  /** Told which keys a batch writes, by hash, and when by the peer's clock it was made. Not told of states: they are no writes. */
  readonly claims?: { peer(low: number, high: number, ms: number): void };
}

export interface CheckedBatch {
  /** Commands that are translated, never sent as they are. */
  readonly special: number;
  /** Whether the peer asks for the state of keys. */
  readonly asks: boolean;
  /** Whether the value of a key has come in parts. */
  readonly isAssembled: boolean;
  /** Whether a value comes with an expiry that is past already, or nearly. */
  readonly isLate: boolean;
  /** Whether keys are given deadlines. */
  readonly isGiving: boolean;
  /** Whether streams are written. */
  readonly hasStreams: boolean;
  /** Whether hashes are written, and fields of them given a deadline. */
  readonly hasHashes: boolean;
  readonly hasFields: boolean;
  /** Whether databases are emptied. */
  readonly flushes: boolean;
  /** Why commands are left out, by their place. */
  readonly leftOut: ReadonlyMap<number, string>;
  /** The commands, as whoever asks about the batch from here on finds them: nobody else walks over its bytes. */
  readonly index: BatchIndex;
  /** Those of Tandem's own making, by their place: they had to be taken apart. */
  readonly messages: readonly (PayloadCommand | undefined)[];
}

/** Scripts stand in a replication stream as what they wrote; one that stands there itself could write anything. */
const SCRIPTS: ReadonlySet<string> = new Set(['EVAL', 'EVALSHA', 'FCALL']);

const NOTHING_LEFT_OUT: ReadonlyMap<number, string> = new Map();
const NO_KEYS: readonly PlacedKey[] = [];
const NO_MESSAGES: readonly PayloadCommand[] = [];
const NUMBER = /^-?\d{1,16}$/;

/** While the walk goes on. It is given away as it is: a copy would take as long as a small batch. */
type Found = { -readonly [Field in keyof CheckedBatch]: CheckedBatch[Field] };

export class BatchCheck {
  readonly #options: BatchCheckOptions;
  readonly #names: CommandNames;
  readonly #prefix: Buffer;
  readonly #hash = new KeyHash();
  readonly #indexes = new IndexSpace();
  /** When the batch at hand was made. */
  #madeAtMs = 0;
  /** Names the server has refused, with its words. */
  readonly #refused = new Map<string, string>();

  constructor(options: BatchCheckOptions) {
    this.#options = options;
    this.#names = new CommandNames(options.server.writes);
    this.#prefix = Buffer.from(options.internalPrefix);
  }

  /** The server does not know this command: from now on it is left out at once. */
  refuse(name: string, error: string): void {
    this.#refused.set(name, error);
  }

  /** @throws TandemError BATCH_INVALID */
  inspect(batch: Batch): CheckedBatch {
    const found: Found = {
      special: 0,
      asks: false,
      isAssembled: false,
      isLate: false,
      isGiving: false,
      hasStreams: false,
      hasHashes: false,
      hasFields: false,
      flushes: false,
      leftOut: NOTHING_LEFT_OUT,
      index: new BatchIndex(this.#indexes, batch.commands, batch.payload.length),
      messages: NO_MESSAGES,
    };
    const reader = new CommandReader();
    reader.push(batch.payload);
    const { index } = found;
    this.#madeAtMs = wallMs(batch.timestamp);
    try {
      this.#readAll(reader, found);
    } catch (cause) {
      if (cause instanceof TandemError && cause.code === 'BATCH_INVALID') throw cause;
      throw new TandemError('BATCH_INVALID', 'the payload of a batch is not Redis commands', { cause });
    }
    if (reader.consumed !== batch.payload.length) throw invalid('its payload ends inside a command');
    if (index.count !== batch.commands)
      throw invalid(`it holds ${counted(index.count, 'command')}, its header says ${batch.commands}`);
    if (!areGroupsSound(batch)) throw invalid('its transactions do not lie within it');
    return found;
  }

  #readAll(reader: CommandReader, found: Found): void {
    const { index } = found;
    let database = 0;
    const now = Date.now();
    const argument = (at: number): Buffer => reader.argument(at);
    while (reader.next()) {
      const known = this.#names.find(reader.buffer, reader.argumentStart(0), reader.argumentEnd(0));
      const { argc } = reader;
      index.add(reader.start, argc > 1 && argc <= known.plainUpTo);
      const given = deadlineOf(known.name, argument, argc);
      if (typeof given === 'number') {
        found.isGiving = true;
        found.isLate ||= isSoon(given, now);
      }
      const type = known.spec?.type;
      if (type === 'stream') found.hasStreams = true;
      else if (type === 'hash') {
        found.hasHashes = true;
        found.hasFields ||= known.spec!.effect === 'cell-expire' || known.name === 'HSETEX';
      }
      const isPlain = known.spec?.singleKey === true && argc > 1;
      if (isPlain && database < this.#options.databases && this.#refused.size === 0) {
        const [start, end] = [reader.argumentStart(1), reader.argumentEnd(1)];
        if (this.#isInternal(reader.buffer, start, end)) throw internalKey();
        this.#hash.of(database, reader.buffer, start, end);
        this.#options.claims?.peer(this.#hash.low, this.#hash.high, this.#madeAtMs);
        index.addKey(this.#hash, buildsOn(known.spec, given), given);
        continue;
      }
      if (known.name === 'SELECT') {
        database = selectedBy(reader);
        index.addSelect(database);
      }
      const command = {
        ...currentCommand(reader, database, this.#options.server.writes),
        index: index.count - 1,
      };
      const keys = known.name === 'SELECT' ? NO_KEYS : keysOf(command, 'all');
      if (keys.length > 0) this.#note({ command, keys, given }, found);
      const special = found.special;
      const reason = this.#judge(command, keys, found);
      if (found.special > special) keep(found, command);
      if (reason !== undefined) leave(found, index.count - 1, reason);
    }
  }

  /** Notes the keys of a command that was taken apart. */
  #note(
    {
      command,
      keys,
      given,
    }: { command: PayloadCommand; keys: readonly PlacedKey[]; given: number | 'kept' | undefined },
    found: Found,
  ): void {
    const { name, spec, args } = command;
    const isState = name === STATE;
    found.isGiving ||= isState;
    const deadline = isState ? Number(args[3]?.toString('latin1')) : given;
    const isBuild = spec === undefined ? name !== EXPIRED : buildsOn(spec, given);
    for (const { database, key } of keys) {
      this.#hash.of(database, key, 0, key.length);
      found.index.addKey(this.#hash, isBuild, deadline);
    }
  }

  /** Why a command is to be left out, or nothing. @param keys all that it reads or writes */
  #judge(command: PayloadCommand, keys: readonly PlacedKey[], found: Found): string | undefined {
    const { name, spec, args, database } = command;
    const { databases } = this.#options;
    const refused = this.#refused.get(name);
    if (refused !== undefined) return refused;
    if (database >= databases) return noSuchDatabase(database);
    if (name === 'SELECT') return undefined;
    const message = messageKind(name);
    if (message && message.group !== 'site') {
      found.special++;
      found.asks ||= name === NEED;
      found.isAssembled ||= name === STATE && isInParts(args);
      return this.#judgeMessage(message, args);
    }
    if (spec === undefined) return this.#unknown(command);
    if (SCRIPTS.has(name)) return 'TANDEM a script is not run for the peer';
    const effect = effectOf(spec, args);
    if (effect === 'flush' || effect === 'swap') {
      found.flushes ||= effect === 'flush';
      found.special++;
      const numbers = effect === 'swap' ? args.slice(1, 3).map((one) => one.toString('latin1')) : [];
      const beyond = numbers.find((one) => !NUMBER.test(one) || Number(one) >= databases);
      return beyond === undefined ? undefined : noSuchDatabase(Number(beyond));
    }
    const written = spec.reads.length === 0 ? keys : keysOf(command, 'written');
    for (const { database: at, key } of written) this.#written(at, key, 0, key.length);
    const own = written.filter(({ key }) => this.#isInternal(key, 0, key.length)).length;
    if (own > 0 && own === written.length) throw internalKey();
    return own === 0 ? undefined : "TANDEM a key of Tandem's own is among its keys";
  }

  #written(database: number, buffer: Buffer, start: number, end: number): void {
    const { claims } = this.#options;
    if (!claims) return;
    this.#hash.of(database, buffer, start, end);
    claims.peer(this.#hash.low, this.#hash.high, this.#madeAtMs);
  }

  #judgeMessage(message: MessageKind, args: readonly Buffer[]): string | undefined {
    const { name } = message;
    const { server, databases } = this.#options;
    const fault = message.fault(args);
    if (fault !== undefined) throw invalid(fault);
    const keys = message.keys(args);
    if (keys.some(({ key }) => this.#isInternal(key, 0, key.length))) throw internalKey();
    if (name === LIBRARY && !server.names.has('FUNCTION')) return 'TANDEM this server has no functions';
    // A comparison may ask for a database that this server does not have: that there is nothing is an answer, too.
    if (message.group !== 'keys') return undefined;
    const beyond = keys.find(({ database }) => database >= databases);
    if (beyond) return noSuchDatabase(beyond.database);
    if (name === ARRIVAL) for (const { database, key } of keys) this.#written(database, key, 0, key.length);
    const made = name === STATE ? madeBy(args) : undefined;
    const unknown = made && [...elementNames(made)].find((one) => !server.names.has(one));
    return unknown === undefined ? undefined : `TANDEM this server does not know ${unknown}`;
  }

  #unknown({ name, args }: PayloadCommand): string {
    const spelt = args[0]!.toString('latin1').toUpperCase();
    if (this.#options.server.names.has(spelt)) throw invalid(`it holds the command ${name.slice(0, 40)}`);
    return 'TANDEM neither this server nor this version of Tandem knows the command';
  }

  #isInternal(buffer: Buffer, start: number, end: number): boolean {
    const prefix = this.#prefix;
    if (end - start < prefix.length || buffer[start] !== prefix[0]) return false;
    return buffer.compare(prefix, 0, prefix.length, start, start + prefix.length) === 0;
  }
}

/** Whether a command builds on what is at its key. @param given the deadline that it gives that key */
function buildsOn({ effect, singleKey }: CommandSpec, given: number | 'kept' | undefined): boolean {
  if (effect !== 'set') return effect !== 'remove';
  // Of those that put a value in place of all that was there, only `SET` may leave the key its deadline; `MSETEX` may, of many.
  return !singleKey || given === 'kept';
}

/** Whoever plans the batch takes each of them. */
function keep(found: Found, command: PayloadCommand): void {
  const messages = found.messages === NO_MESSAGES ? [] : found.messages;
  (messages as (PayloadCommand | undefined)[])[command.index] = command;
  found.messages = messages;
}

/** Leaves a command out. */
function leave(found: Found, index: number, reason: string): void {
  const leftOut = found.leftOut === NOTHING_LEFT_OUT ? new Map<number, string>() : found.leftOut;
  found.leftOut = (leftOut as Map<number, string>).set(index, reason);
}

function selectedBy(reader: CommandReader): number {
  const text = reader.argc === 2 ? reader.argument(1).toString('latin1') : '';
  if (!/^\d{1,10}$/.test(text)) throw invalid('a SELECT names no database');
  return Number(text);
}

/** Pairs of first command and number of commands, in rising order. */
function areGroupsSound({ groups, commands }: Batch): boolean {
  let end = 0;
  for (let i = 0; i < groups.length; i += 2) {
    const [first, count] = [groups[i]!, groups[i + 1] ?? 0];
    if (first < end || count < 1) return false;
    end = first + count;
  }
  return end <= commands;
}

function noSuchDatabase(database: number): string {
  return `TANDEM this server has no database ${database}`;
}

function internalKey(): TandemError {
  return invalid("it writes a key of Tandem's own");
}

function invalid(why: string): TandemError {
  return new TandemError('BATCH_INVALID', `a batch from the peer is refused: ${why}`, {
    hint: 'nothing of it is applied, and the link stands still; look at what the peer delivered, and at who may write to the inbox',
  });
}
