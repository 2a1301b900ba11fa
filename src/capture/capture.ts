/**
 * Capture: turns the replication stream of the local server into batches of changes, and tells the other stages what else
 * went by in the stream, in its order: local writes, batches delivered into the inbox, applied changes, barriers.
 *
 * Three kinds of commands go by:
 * - an **echo**: a transaction whose first command is the applied marker. It is the peer's change coming round, is skipped
 *   whole, and moves `seen` at exactly this place. A marker that stands alone (the change had no effect) counts too.
 * - **own** commands, on Tandem's own keys: never replicated.
 * - everything else is a local **change**: a single command, or a whole transaction.
 *
 * What this file decides depends on the stream alone, so after a restart the same bytes become the same changes with the
 * same numbers. Bytes up to {@link Capture.position} have been dealt with; it only ever stands between changes.
 */

import { encodeBatch } from '../change/batch.js';
import type { HybridClock } from '../change/clock.js';
import { CommandNames, type KnownName } from '../change/command-names.js';
import type { CommandReader } from '../change/command-reader.js';
import { writtenKeys, type CommandSpec } from '../change/commands.js';
import { encodeCommand } from '../change/encode-command.js';
import type { Filter } from '../change/filter.js';
import { KeyHash } from '../change/key-hash.js';
import type { Position } from '../change/position.js';
import { ANSWER } from '../change/comparison.js';
import { NEED, specialKeys, type PlacedKey } from '../change/special.js';
import type { KeyNames } from '../redis/keys.js';
import { BatchBuilder } from './batch-builder.js';
import type { CaptureListener } from './listener.js';
import { fieldsOf, keysNamed, readSpecial } from './own-commands.js';
import { Selection } from './selection.js';

export interface CaptureOptions {
  readonly pair: string;
  readonly site: string;
  readonly epoch: number;
  /** Sequence of the next change. */
  readonly nextSequence: number;
  readonly position: Position;
  readonly keys: KeyNames;
  readonly clock: HybridClock;
  readonly filter: Filter;
  readonly flush: 'ignore' | 'replicate';
  readonly publish: boolean;
  readonly functions: boolean;
  readonly batchBytes: number;
  readonly batchCommands: number;
  /** Bytes a change may have: with more it does not fit an element of the change list. */
  readonly maxChangeBytes: number;
  /** Rows for commands only the server at hand knows, by upper-case name. */
  readonly extraCommands: ReadonlyMap<string, CommandSpec>;
  readonly listener: CaptureListener;
  readonly now?: () => number;
}

/** Counters since the process began. */
export interface CaptureCounts {
  commands: number;
  changes: number;
  echoes: number;
  unknown: number;
  own: number;
}

export class Capture {
  readonly counts: CaptureCounts = { commands: 0, changes: 0, echoes: 0, unknown: 0, own: 0 };
  readonly #options: CaptureOptions;
  readonly #names: CommandNames;
  readonly #builder = new BatchBuilder();
  readonly #hash = new KeyHash();
  readonly #selection: Selection;
  readonly #ownPrefix: Buffer;
  readonly #base: number;
  /** Whether no filter can hold back a command with one key. */
  readonly #plain: boolean;
  #sequence: number;
  #database: number;
  /** End of the last change, and the database selected there. */
  #offset: number;
  #boundaryDatabase: number;
  #seen: number;
  #seenEpoch: number;
  #group: 'none' | 'first' | 'changes' | 'echo' = 'none';

  constructor(options: CaptureOptions) {
    this.#options = options;
    this.#names = new CommandNames(options.extraCommands);
    this.#selection = new Selection({ ...options, names: this.#names });
    this.#ownPrefix = Buffer.from(options.keys.prefix);
    this.#plain = options.filter.passesAllKeys && options.filter.passesAllCommands;
    this.#base = options.position.offset;
    this.#sequence = options.nextSequence;
    this.#database = options.position.database;
    this.#offset = options.position.offset;
    this.#boundaryDatabase = options.position.database;
    this.#seen = options.position.seen;
    this.#seenEpoch = options.position.seenEpoch;
  }

  /** Where the stream has been dealt with, the changes not yet cut included. */
  get position(): Position {
    const { replid } = this.#options.position;
    return {
      replid,
      offset: this.#offset,
      database: this.#boundaryDatabase,
      seen: this.#seen,
      seenEpoch: this.#seenEpoch,
    };
  }

  /** Sequence of the next change. */
  get nextSequence(): number {
    return this.#sequence;
  }

  /** The peer's changes up to here stand in the stream before {@link position}. */
  get seen(): { epoch: number; sequence: number } {
    return { epoch: this.#seenEpoch, sequence: this.#seen };
  }

  /** Changes gathered and not yet cut. */
  get gathered(): number {
    return this.#builder.changes;
  }

  /** Deals with all whole commands the reader has. */
  read(reader: CommandReader): void {
    while (reader.next()) {
      this.#command(reader);
      if (this.#group === 'none') this.#reached(this.#base + reader.consumed);
    }
    // The bytes the reader stands on are written over with the next ones.
    this.#builder.settle();
  }

  /** Cuts what is gathered into a batch, if there is anything. */
  cut(): void {
    const changes = this.#builder.changes;
    if (changes === 0) return;
    const { pair, site, epoch, clock, listener } = this.#options;
    const built = this.#builder.cut();
    const first = this.#sequence - changes;
    const timestamp = clock.tick();
    const bytes = encodeBatch({
      pair,
      origin: site,
      epoch,
      first,
      changes,
      commands: built.commands,
      timestamp,
      seenEpoch: this.#seenEpoch,
      seen: this.#seen,
      special: built.special,
      groups: built.groups,
      payload: built.payload,
    });
    listener.batch({ bytes, first, changes, timestamp, position: this.position });
  }

  #reached(offset: number): void {
    this.#offset = offset;
    this.#boundaryDatabase = this.#database;
    if (
      this.#builder.bytes >= this.#options.batchBytes ||
      this.#builder.commands >= this.#options.batchCommands
    )
      this.cut();
  }

  #command(reader: CommandReader): void {
    const buffer = reader.buffer;
    const known = this.#names.find(buffer, reader.argumentStart(0), reader.argumentEnd(0));
    const spec = known.spec;
    this.counts.commands++;
    if (this.#group === 'echo') {
      this.#echoCommand(reader, known);
      return;
    }
    if (spec?.singleKey && reader.argc > 1) {
      const start = reader.argumentStart(1);
      const end = reader.argumentEnd(1);
      if (this.#isOwn(buffer, start, end)) {
        this.#ownCommand(reader, known.name);
        return;
      }
      if (this.#plain && reader.argc <= known.plainUpTo) {
        if (this.#group === 'first') this.#group = 'changes';
        this.#hash.of(this.#database, buffer, start, end);
        this.#options.listener.write(this.#hash.low, this.#hash.high, this.#sequence, spec.effect);
        this.#add(buffer, reader.start, reader.end);
        return;
      }
    }
    this.#slowCommand(reader, known);
  }

  #slowCommand(reader: CommandReader, known: KnownName): void {
    const args = reader.arguments();
    switch (known.name) {
      case 'SELECT':
        this.#database = Number(args[1]!.toString('latin1'));
        return;
      case 'PING':
        return;
      case 'REPLCONF':
        this.#options.listener.askedForAcknowledgement();
        return;
      case 'MULTI':
        this.#builder.beginGroup();
        this.#group = 'first';
        return;
      case 'EXEC':
        this.#endGroup();
        return;
      default:
        break;
    }
    if (args.length > 1 && this.#isOwn(args[1]!, 0, args[1]!.length) && !this.#writesOthers(known, args)) {
      this.#ownCommand(reader, known.name);
      return;
    }
    if (this.#group === 'first') this.#group = 'changes';
    this.#change(reader, known, args);
  }

  #endGroup(): void {
    if (this.#group !== 'none' && this.#builder.inGroup && this.#builder.endGroup()) this.#counted();
    this.#group = 'none';
  }

  /** Takes the command that lies in `buffer` from `start` to `end` into the batch. */
  #add(buffer: Buffer, start: number, end: number): void {
    if (this.#isTooLarge(end - start)) return;
    this.#builder.add(buffer, start, end, this.#database);
    if (this.#group === 'none') this.#counted();
  }

  /** Whether a command makes its change too large: then all of the change is left out, and told once. */
  #isTooLarge(bytes: number): boolean {
    const { maxChangeBytes, listener } = this.#options;
    if (this.#builder.isDropped) return true;
    const all = this.#builder.groupBytes + bytes;
    if (all <= maxChangeBytes) return false;
    if (this.#builder.inGroup) this.#builder.dropGroup();
    listener.tooLarge(all);
    return true;
  }

  #counted(): void {
    this.#sequence++;
    this.counts.changes++;
  }

  #isOwn(buffer: Buffer, start: number, end: number): boolean {
    const prefix = this.#ownPrefix;
    if (end - start < prefix.length || buffer[start] !== prefix[0]) return false;
    for (let i = 1; i < prefix.length; i++) if (buffer[start + i] !== prefix[i]) return false;
    return true;
  }

  /** Whether a key is written that is not Tandem's own: then it is the application's command, whatever its first key. */
  #writesOthers({ spec }: KnownName, args: readonly Buffer[]): boolean {
    return (
      spec !== undefined &&
      writtenKeys(spec, args).some((index) => !this.#isOwn(args[index]!, 0, args[index]!.length))
    );
  }

  // ---- own commands and echoes -------------------------------------------------------------------------------------

  #ownCommand(reader: CommandReader, name: string): void {
    this.counts.own++;
    const { keys, listener } = this.#options;
    const key = reader.argument(1).toString('latin1');
    if (key === keys.applied && name === 'HSET') {
      const fields = fieldsOf(reader);
      // What somebody else writes there is no marker: numbers that are none would go into every batch from here on.
      if (
        ['n', 'epoch', 'decided'].every((field) => Number.isSafeInteger(Number(fields.get(field) ?? NaN)))
      ) {
        this.#marker(fields);
        return;
      }
    }
    if (this.#group === 'first') this.#group = 'changes';
    if (key === keys.inbox && name === 'RPUSH') {
      for (let i = 2; i < reader.argc; i++) listener.delivered(Buffer.from(reader.argument(i)));
    } else if (key === keys.received && name === 'HSET') {
      const fields = fieldsOf(reader);
      if (fields.has('beat')) listener.acknowledged(fields);
      const rewound = fields.get('rewound');
      if (rewound !== undefined) listener.rewound(rewound);
    } else if (key === keys.barrier && name === 'SET') {
      listener.barrier(reader.argument(2).toString('latin1'));
    } else if (key === keys.out && name === 'SET') {
      this.#out(reader.argument(2));
    }
  }

  /** The applied marker: what follows it in the same transaction is the peer's, and from here on it has been seen. */
  #marker(fields: ReadonlyMap<string, string>): void {
    // A change list entry may rest on one `seen` only. The open transaction is the echo itself: what is taken out of it is one
    // change, and complete only with it, because the position stays in front of it until then.
    this.cut();
    if (this.#group === 'first') this.#group = 'echo';
    this.#seen = Number(fields.get('n'));
    this.#seenEpoch = Number(fields.get('epoch'));
    this.counts.echoes++;
    const kept = (): PlacedKey[] => keysNamed(Buffer.from(fields.get('kept') ?? '', 'latin1'));
    this.#options.listener.applied(this.#seen, Number(fields.get('decided')), kept);
    if (this.#group !== 'echo') this.#endEcho();
  }

  #echoCommand(reader: CommandReader, known: KnownName): void {
    const { keys, listener } = this.#options;
    if (known.name === 'EXEC') {
      this.#endEcho();
      this.#endGroup();
    } else if (known.name === 'SELECT') this.#database = Number(reader.argument(1).toString('latin1'));
    else if (known.name === 'SET' && reader.argument(1).toString('latin1') === keys.out)
      this.#out(reader.argument(2));
    // The bookkeeping in the same transaction is nobody's data: nothing of it is to be asked for.
    else if (reader.argc < 2 || !this.#isOwn(reader.buffer, reader.argumentStart(1), reader.argumentEnd(1)))
      listener.echoed(reader, this.#database, known.name);
  }

  #endEcho(): void {
    const command = this.#options.listener.appliedEnd(this.#sequence);
    if (command) this.#out(command);
  }

  /** What Tandem itself wants sent at this place: the state of a key, or a request for one, which stand among the local writes of it. */
  #out(command: Buffer): void {
    const args = readSpecial(command);
    if (!args) {
      this.#options.listener.skipped('not-ours', 'SET');
      return;
    }
    const name = args[0]!.toString('latin1');
    for (const { database, key } of specialKeys(name, args)) {
      this.#hash.of(database, key, 0, key.length);
      const effect = name === NEED ? 'need' : 'state';
      this.#options.listener.write(this.#hash.low, this.#hash.high, this.#sequence, effect);
    }
    this.#special(name === ANSWER ? this.#options.listener.answering(args) : command);
  }

  /** A command of Tandem's own making that is to be sent at this place in the order. */
  #special(command: Buffer): void {
    if (command.length > this.#options.maxChangeBytes) {
      // The state of a key: what it would mend stays as it is, and shown.
      this.#options.listener.skipped('too-large', 'SET');
      return;
    }
    this.#builder.addSpecial(Buffer.from(command), this.#database);
    if (!this.#builder.inGroup) this.#counted();
  }

  // ---- changes -------------------------------------------------------------------------------------------------------

  #change(reader: CommandReader, known: KnownName, args: Buffer[]): void {
    const { listener } = this.#options;
    const verdict = this.#selection.judge(known, args, this.#database);
    for (const { event, databases } of verdict.keyspace) listener.keyspace(event, databases);
    if (verdict.skip !== undefined) {
      listener.skipped(verdict.skip, verdict.name);
      return;
    }
    if (verdict.effect === 'none') return;
    if (verdict.effect === 'unknown') this.counts.unknown++;
    for (const { database, key } of verdict.keys) {
      this.#hash.of(database, key, 0, key.length);
      listener.write(this.#hash.low, this.#hash.high, this.#sequence, verdict.effect);
    }
    const { buffer, start, end } = reader;
    if (verdict.isWhole) this.#special(buffer.subarray(start, end));
    else if (verdict.instead) {
      const bytes = encodeCommand(verdict.instead);
      this.#add(bytes, 0, bytes.length);
    } else this.#add(buffer, start, end);
  }
}
