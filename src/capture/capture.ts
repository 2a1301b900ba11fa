/**
 * Capture: turns the replication stream of the local server into batches of changes, and tells the other stages what else went by in the
 * stream, in its order: local writes, batches delivered into the inbox, applied changes, barriers.
 *
 * Three kinds of commands go by:
 * - an **echo**: a transaction whose first command is the applied marker. It is the peer's change coming round, is skipped whole, and
 *   moves `seen` at exactly this place. A marker that stands alone (the change had no effect) counts too.
 * - **internal** commands, on the internal keys: never replicated.
 * - everything else is a local **change**: a single command, or a whole transaction.
 *
 * All that capture decides depends on the stream alone. So after a restart the same bytes become the same changes with the same
 * sequences. Bytes up to {@link Capture.position} have been dealt with; it only ever stands between changes.
 */

import { encodeSealed } from '../protocol/batch.js';
import { CommandNames, type KnownName } from '../redis-commands/command-names.js';
import type { CommandReader } from '../redis-commands/command-reader.js';
import type { RecordedEffect } from '../redis-commands/effect-code.js';
import { encodeCommand } from '../redis-commands/encode-command.js';
import { encodeEnds } from '../protocol/stream-ends.js';
import { KeyHash } from '../protocol/key-hash.js';
import { ARRIVAL } from '../protocol/messages/arrival.js';
import { encodeExpired } from '../protocol/messages/expired.js';
import { isMark } from '../protocol/messages/mark.js';
import { messageEffect, messageKeys } from '../protocol/messages/messages.js';
import type { Position } from '../protocol/position.js';
import type { PlacedKey } from '../redis-commands/placed-key.js';
import { BatchBuilder } from './batch-builder.js';
import type { InternalEvents } from './change-sink.js';
import { DeadlineWatch } from './deadline-watch.js';
import type { CaptureCounts, CaptureOptions } from './capture-options.js';
import { fieldsOf, isInternal, isKey, isMarker, isOnKeyOf, keysNamed, tell } from './internal-commands.js';
import { isSetPop } from './popped-sets.js';
import { Rewording } from './rewording.js';
import { Selection } from './selection.js';
import { keysOfMessage, placedBy, writtenKeys } from './written-keys.js';
import { ENDING, leavingOf, readMessages, whole, type WrittenMessage } from './written-messages.js';

export class Capture {
  readonly counts: CaptureCounts = { commands: 0, echoes: 0, unknown: 0 };
  readonly #options: CaptureOptions;
  readonly #names: CommandNames;
  readonly #builder = new BatchBuilder();
  readonly #hash = new KeyHash();
  readonly #selection: Selection;
  readonly #deadlines: DeadlineWatch;
  readonly #rewording: Rewording;
  readonly #prefix: Buffer;
  readonly #outKey: Buffer;
  readonly #base: number;
  /** Whether no filter can hold back a command with one key. */
  readonly #plain: boolean;
  #sequence: number;
  #database: number;
  /** End of the last change, and the database selected there. */
  #offset: number;
  #boundaryDatabase: number;
  #seen: number;
  /** The batch ends behind the change that is being read. */
  #isClosed = false;
  #seenEpoch: number;
  #group: 'none' | 'first' | 'changes' | 'echo' = 'none';
  /** End of the command at hand, and of each change that is gathered. */
  #end: number;
  #ends: number[] = [];
  /** Marks in the applied transaction that is being read: they go out behind all that it causes. */
  #marks: Buffer[] = [];

  constructor(options: CaptureOptions) {
    this.#options = options;
    this.#names = new CommandNames(options.extraCommands);
    this.#selection = new Selection({ ...options, names: this.#names });
    this.#deadlines = new DeadlineWatch(options.deadlines);
    this.#rewording = new Rewording(options.writes);
    this.#prefix = Buffer.from(options.keys.prefix);
    this.#outKey = Buffer.from(options.keys.out);
    this.#plain = options.filter.passesAllKeys && options.filter.passesAllCommands;
    this.#base = this.#offset = this.#end = options.position.offset;
    this.#sequence = options.nextSequence;
    this.#database = options.position.database;
    this.#boundaryDatabase = options.position.database;
    this.#seen = options.position.seen;
    this.#seenEpoch = options.position.seenEpoch;
  }

  /** Where the stream has been read to, the changes that are gathered included. */
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

  /** Changes gathered for the next batch. */
  get gathered(): number {
    return this.#builder.changes;
  }

  /** Deals with all whole commands the reader has. */
  read(reader: CommandReader): void {
    while (reader.next()) {
      this.#end = this.#base + reader.consumed;
      this.#command(reader);
      if (this.#group === 'none') this.#reached(this.#end);
    }
    this.#builder.settle();
  }

  cut(): void {
    this.#isClosed = false;
    const changes = this.#builder.changes;
    if (changes === 0) return;
    const { pair, site, epoch, clock, sink, packer } = this.#options;
    const { payload, ...built } = this.#builder.cut();
    const first = this.#sequence - changes;
    const timestamp = clock.tick();
    const bytes = encodeSealed({
      pair,
      origin: site,
      epoch,
      first,
      ...built,
      timestamp,
      seenEpoch: this.#seenEpoch,
      seen: this.#seen,
      ends: encodeEnds(this.#ends),
      ...packer.seal(payload),
    });
    this.#ends = [];
    sink.batch({ bytes, first, changes, timestamp, position: this.position });
  }

  #reached(offset: number): void {
    this.#offset = offset;
    this.#boundaryDatabase = this.#database;
    if (
      this.#isClosed ||
      this.#builder.bytes >= this.#options.batchBytes ||
      this.#builder.commands >= this.#options.batchCommands
    )
      this.cut();
  }

  #known(reader: CommandReader): KnownName {
    return this.#names.find(reader.buffer, reader.argumentStart(0), reader.argumentEnd(0));
  }

  #command(reader: CommandReader): void {
    const { buffer } = reader;
    const known = this.#known(reader);
    const { spec } = known;
    this.counts.commands++;
    if (this.#group === 'echo') {
      this.#echoCommand(reader, known);
      return;
    }
    if (spec?.singleKey && reader.argc > 1) {
      const start = reader.argumentStart(1);
      const end = reader.argumentEnd(1);
      if (isOnKeyOf(reader, this.#prefix)) {
        this.#internalCommand(reader, known.name);
        return;
      }
      if (this.#plain && reader.argc <= known.plainUpTo && !isSetPop(known)) {
        this.#hash.of(this.#database, buffer, start, end);
        const isOnFields = spec.type === 'hash' && this.#deadlines.fields.concerns(this.#hash, spec);
        if (isOnFields || this.#options.events.mayWatch(this.#hash)) {
          this.#slowCommand(reader, known);
          return;
        }
        if (this.#group === 'first') this.#group = 'changes';
        this.#options.writes.write(this.#hash.low, this.#hash.high, this.#sequence, spec.effect);
        if (spec.type === 'zset')
          this.#options.writes.named(known.name, reader.arguments(), this.#database, this.#sequence);
        this.#deadlines.plain(this.#hash, spec, reader);
        this.#rewording.passed(reader, known, this.#database);
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
        this.#options.events.askedForAcknowledgement();
        return;
      case 'MULTI':
        this.#builder.beginGroup();
        this.#group = 'first';
        return;
      case 'EXEC':
        this.#endGroup();
        return;
    }
    if (isInternal(known, args, this.#prefix)) {
      this.#internalCommand(reader, known.name);
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
    const { maxChangeBytes, sink } = this.#options;
    if (this.#builder.isDropped) return true;
    const all = this.#builder.groupBytes + bytes;
    if (all <= maxChangeBytes) return false;
    if (this.#builder.inGroup) this.#builder.dropGroup();
    sink.tooLarge(all);
    return true;
  }

  #counted(): void {
    this.#sequence++;
    this.#ends.push(this.#end);
  }

  #internalCommand(reader: CommandReader, name: string): void {
    const { keys, events } = this.#options;
    const key = reader.argument(1).toString('latin1');
    const fields = key === keys.applied && name === 'HSET' ? fieldsOf(reader) : undefined;
    if (fields && isMarker(fields)) {
      this.#marker(fields);
      return;
    }
    if (this.#group === 'first') this.#group = 'changes';
    if (key === keys.out && name === 'SET') this.#out(reader.argument(2));
    else tell(reader, { name, key }, { keys, events });
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
    this.#options.events.applied(this.#seen, Number(fields.get('decided')), kept);
    if (this.#group !== 'echo') this.#endEcho();
  }

  #echoCommand(reader: CommandReader, known: KnownName): void {
    if (known.name === 'EXEC') {
      this.#endEcho();
      this.#endGroup();
    } else if (known.name === 'SELECT') this.#database = Number(reader.argument(1).toString('latin1'));
    else if (known.name === 'SET' && isKey(reader, this.#outKey)) {
      const command = reader.argument(2);
      if (isMark(command)) this.#marks.push(Buffer.from(command));
      else this.#out(command);
    }
    // The bookkeeping in the same transaction is no data: nothing of it is asked for.
    else if (known.name === 'RENAME') {
      const placed = placedBy(reader, this.#prefix);
      if (placed) this.#echoed(placed, this.#known(placed));
    } else if (reader.argc < 2 || !isOnKeyOf(reader, this.#prefix)) this.#echoed(reader, known);
  }

  #echoed(reader: CommandReader, known: KnownName): void {
    this.#options.events.echoed(reader, this.#database, known);
    this.#deadlines.echoed(reader, known, this.#database);
    this.#rewording.echoed(reader, known, this.#database);
  }

  #endEcho(): void {
    this.#rewording.endEcho();
    for (const command of this.#options.events.appliedEnd(this.#sequence)) this.#out(command);
    // Each is in one change with a request for its key: the window of local writes has noted that one for both.
    for (const { key, bytes } of this.#deadlines.kept.take(this.#options.filter))
      if (this.#builder.inGroup) this.#builder.add(bytes, 0, bytes.length, key.database);
    for (const command of this.#marks.splice(0)) this.#out(command);
  }

  /** What Tandem itself wants sent at this place: the states of keys, or requests for them, which stand among the local writes of them. */
  #out(value: Buffer): void {
    const messages = readMessages(value);
    if (!messages) {
      this.#options.sink.skipped('not-ours', 'SET');
      return;
    }
    // A place in the stream lies behind all of them or before them: they are one change.
    const isGroup = messages.length > 1 && !this.#builder.inGroup;
    if (isGroup) this.#builder.beginGroup();
    for (const message of messages) this.#message(message);
    if (isGroup && this.#builder.endGroup()) this.#counted();
  }

  #message(message: WrittenMessage): void {
    const { args: written } = message;
    if (this.#rewording.told(written) || this.#deadlines.told(written)) return;
    const name = written[0]!.toString('latin1');
    const leaving = leavingOf(message, this.#options);
    if (!leaving) {
      this.#options.sink.skipped('filtered', name);
      return;
    }
    const effect = messageEffect(name, leaving.args);
    if (this.#options.events.watchesWrites) this.#ask(keysOfMessage(name, leaving.args));
    if (effect) for (const key of messageKeys(name, leaving.args)) this.#wrote(key, effect);
    this.#isClosed ||= ENDING.has(name);
    this.#special(leaving);
  }

  /** Sends the requests that must stand before what is about to be sent. */
  #ask(keys: Parameters<InternalEvents['writing']>[0]): void {
    for (const request of this.#options.events.writing(keys, this.#sequence)) this.#out(request);
  }

  #wrote({ database, key }: PlacedKey, effect: RecordedEffect, isRead?: boolean): void {
    this.#hash.of(database, key, 0, key.length);
    this.#options.writes.write(this.#hash.low, this.#hash.high, this.#sequence, effect, isRead);
  }

  /** A command of Tandem's own making that is to be sent at this place in the order. */
  #special({ buffer, start, end }: Omit<WrittenMessage, 'args'>): void {
    if (end - start > this.#options.maxChangeBytes) {
      // The state of a key: what it would mend stays as it is, and shown.
      this.#options.sink.skipped('too-large', 'SET');
      return;
    }
    this.#builder.addSpecial(buffer, start, end, this.#database);
    if (!this.#builder.inGroup) this.#counted();
  }

  #change(reader: CommandReader, known: KnownName, args: Buffer[]): void {
    const { sink, writes, events } = this.#options;
    const verdict = this.#selection.judge(known, args, this.#database);
    for (const { event, databases } of verdict.keyspace) events.keyspace(event, databases);
    const isRemoval = args.length === 2 && verdict.effect === 'remove';
    const passed = this.#deadlines.ended({ known, args, isRemoval }, this.#database);
    this.#deadlines.observe(known, args, this.#database);
    if (events.watchesWrites) this.#ask(writtenKeys(verdict, passed !== undefined));
    const reworded = this.#rewording.ran(known, args, this.#database, verdict);
    const { inGroup: isInGroup } = this.#builder;
    if (this.#deadlines.fields.isEmptied({ isRemoval, key: args[1], passed, isInGroup })) return;
    if (verdict.skip !== undefined) {
      sink.skipped(verdict.skip, verdict.name);
      return;
    }
    if (passed !== undefined) {
      this.#out(encodeExpired({ database: this.#database, key: args[1]! }, passed, args.slice(2)));
      return;
    }
    if (verdict.effect === 'none') return;
    if (verdict.effect === 'unknown') this.counts.unknown++;
    for (const [at, key] of verdict.keys.entries())
      this.#wrote(key, verdict.effects?.[at] ?? reworded?.effect ?? verdict.effect, key.isRead);
    if (verdict.special) writes.named(ARRIVAL, verdict.special, this.#database, this.#sequence);
    else if (known.spec?.type === 'stream' || known.spec?.type === 'zset')
      writes.named(reworded?.name ?? known.name, reworded?.args ?? args, this.#database, this.#sequence);
    const { buffer, start, end } = reader;
    const inFull = this.#deadlines.fields.inFull(known.name, verdict.instead ?? args, this.#database);
    const instead = reworded?.args ?? inFull ?? verdict.instead;
    if (verdict.effect === 'flush') writes.flushed(this.#sequence);
    if (verdict.special) this.#special(whole(encodeCommand(verdict.special)));
    else if (verdict.isWhole) this.#special({ buffer, start, end });
    else {
      const bytes = instead ? encodeCommand(instead) : buffer.subarray(start, end);
      this.#add(bytes, 0, bytes.length);
    }
  }
}
