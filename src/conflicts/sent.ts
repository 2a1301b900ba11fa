/**
 * Gathers the commands that are sent in the place of a batch's, in order. Commands that go as a script are joined in few scripts: a
 * script costs the server many times as much as a command in it.
 */

import type { PlacedKey } from '../redis-commands/placed-key.js';
import { encodeCommand, type Argument } from '../redis-commands/encode-command.js';
import { scriptSource } from '../lua/scripts.js';
import { attemptsOf, MAX_SCRIPT_ARGUMENTS } from './attempts.js';
import { isSoon, withExpiryApart } from '../redis-commands/late-expiry.js';
import type { FieldCommands } from './field-lives.js';
import { ListInserts } from './list-inserts.js';
import { keysOf, nameOf, type PayloadCommand } from '../protocol/payload.js';
import type { BatchCommands } from '../protocol/batch-commands.js';
import type { Resolved } from './resolved.js';
import type { KeyNames } from '../redis/keys.js';
import { splice } from './rules/lists.js';
import type { Insert } from './rules/rule-context.js';
import { EntryInserts, type EntryCommands, type PlacedEntry } from './stream-entries.js';

/** Elements for one list that are not sent yet. */
interface Inserting {
  readonly key: PlacedKey;
  readonly inserts: ListInserts;
  readonly commands: PayloadCommand[];
}

/** Entries for one stream that are not sent yet. */
interface Entering {
  readonly entries: EntryInserts;
  readonly commands: PayloadCommand[];
}

/** Arguments for `attempt-commands.lua` that are not sent yet, and the keys they are for. */
interface Attempting {
  readonly together: Argument[];
  readonly commands: PayloadCommand[];
  readonly keys: Set<string>;
}

export interface SentOptions {
  /** The key that counts errors, and the one that carries Tandem's own commands. */
  readonly keys: Pick<KeyNames, 'applied' | 'out'>;
  readonly onEntries: Pick<EntryCommands, 'trimTo'>;
  /** The time by which deadlines are judged. */
  readonly nowMs: number;
  /** Has what runs in the place of a command on a hash that meets nothing. */
  readonly fields: Pick<FieldCommands, 'asSent'>;
  /** Of the batch. */
  readonly timestamp: number;
}

export class Sent {
  readonly #keys: SentOptions['keys'];
  readonly #onEntries: SentOptions['onEntries'];
  readonly #nowMs: number;
  readonly #fields: SentOptions['fields'];
  readonly #timestamp: number;
  readonly #payload: Buffer[] = [];
  readonly #origins: number[] = [];
  readonly #gathered = new Map<number, number[]>();
  /** By database and name of the list; all that waits is for one database. */
  readonly #inserting = new Map<string, Inserting>();
  /** The same for streams. */
  readonly #entering = new Map<string, Entering>();
  #attempting: Attempting | undefined;

  constructor({ keys, onEntries, nowMs, fields, timestamp }: SentOptions) {
    this.#keys = keys;
    this.#onEntries = onEntries;
    this.#nowMs = nowMs;
    this.#fields = fields;
    this.#timestamp = timestamp;
  }

  /** All that is to be sent. */
  all(): Pick<Resolved, 'payload' | 'origins' | 'gathered'> {
    this.#flush();
    return { payload: this.#payload, origins: this.#origins, gathered: this.#gathered };
  }

  /** A command of the batch, as it came. */
  plain(commands: BatchCommands, index: number): void {
    if (this.#isWaiting) this.#before(keysOf(commands.at(index), 'all'));
    this.#push(index, commands.bytesAt(index));
  }

  get #isWaiting(): boolean {
    return this.#inserting.size > 0 || this.#entering.size > 0 || this.#attempting !== undefined;
  }

  /**
   * A command in the place of one of the batch's.
   * @param keys all that it has to do with, in the database that is selected; absent: what waits is sent before it
   */
  send(command: PayloadCommand, bytes: Buffer, keys?: readonly PlacedKey[]): void {
    this.#before(keys);
    const mayExpire = bytes === command.bytes && command.name === 'SET' && command.args.length > 3;
    if (mayExpire) this.#value(command, command.args);
    else if (bytes === command.bytes && command.spec?.type === 'hash') {
      for (const one of this.#fields.asSent(command, { timestamp: this.#timestamp }))
        this.#push(command.index, one);
    } else this.#push(command.index, bytes);
  }

  /** What runs for a command that commutes with what it meets. Entries for a stream wait for those of the commands that follow. */
  free(command: PayloadCommand, one: Buffer | PlacedEntry): void {
    if (Buffer.isBuffer(one)) {
      this.send(command, one, keysOf(command, 'all'));
      return;
    }
    const name = nameOf(one.key);
    this.#flushInserts(name);
    if (this.#attempting?.keys.has(name)) this.#flushAttempts();
    if ((this.#entering.get(name)?.entries.count ?? 0) > MAX_SCRIPT_ARGUMENTS) this.#flushEntries(name);
    const entering = this.#entering.get(name) ?? {
      entries: new EntryInserts(one, { out: this.#keys.out, onEntries: this.#onEntries }),
      commands: [],
    };
    this.#entering.set(name, entering);
    entering.entries.add(one);
    entering.commands.push(command);
  }

  /** Elements for a list wait for those of the commands that follow. */
  insert(command: PayloadCommand, key: PlacedKey, insert: Insert): void {
    const name = nameOf(key);
    this.#flushEntries(name);
    if (this.#attempting?.keys.has(name)) this.#flushAttempts();
    if ((this.#inserting.get(name)?.inserts.count ?? 0) > MAX_SCRIPT_ARGUMENTS) this.#flushInserts(name);
    const inserting = this.#inserting.get(name) ?? { key, inserts: new ListInserts(), commands: [] };
    this.#inserting.set(name, inserting);
    inserting.inserts.add(insert);
    inserting.commands.push(command);
  }

  /**
   * Runs commands that need not fit what is there: their errors are no failed change.
   * @param keys all that they have to do with, in the database that is selected
   */
  attempt(
    command: PayloadCommand,
    commands: readonly (readonly Argument[])[],
    keys: readonly PlacedKey[],
  ): void {
    for (const one of attemptsOf(commands)) {
      if ('alone' in one) {
        this.#before(keys);
        this.#value(command, one.alone);
      } else this.#together(command, one.together, keys);
    }
  }

  #together(command: PayloadCommand, together: readonly Argument[], keys: readonly PlacedKey[]): void {
    for (const key of keys) {
      this.#flushInserts(nameOf(key));
      this.#flushEntries(nameOf(key));
    }
    const waiting = this.#attempting?.together.length ?? 0;
    if (waiting + together.length > MAX_SCRIPT_ARGUMENTS) this.#flushAttempts();
    this.#attempting ??= { together: [], commands: [], keys: new Set() };
    for (const argument of together) this.#attempting.together.push(argument);
    for (const key of keys) this.#attempting.keys.add(nameOf(key));
    if (this.#attempting.commands.at(-1) !== command) this.#attempting.commands.push(command);
  }

  /** Sends what waits for the same keys. All is one transaction, so only the order on each key is kept. */
  #before(keys: readonly PlacedKey[] | undefined): void {
    if (!keys) {
      this.#flush();
      return;
    }
    for (const key of keys) {
      const name = nameOf(key);
      this.#flushInserts(name);
      this.#flushEntries(name);
      if (this.#attempting?.keys.has(name)) this.#flushAttempts();
    }
  }

  #flush(): void {
    for (const name of this.#inserting.keys()) this.#flushInserts(name);
    for (const name of this.#entering.keys()) this.#flushEntries(name);
    this.#flushAttempts();
  }

  #flushEntries(name: string): void {
    const entering = this.#entering.get(name);
    if (!entering) return;
    this.#entering.delete(name);
    const { question, insertion, trim } = entering.entries;
    const [first, last] = [entering.commands[0]!, entering.commands.at(-1)!];
    if (question) this.#push(first.index, encodeCommand(question));
    this.#gather(entering.commands, insertion);
    if (trim) this.#push(last.index, encodeCommand(trim));
  }

  #flushInserts(name: string): void {
    const inserting = this.#inserting.get(name);
    if (!inserting) return;
    this.#inserting.delete(name);
    this.#gather(inserting.commands, splice(inserting.key.key, inserting.inserts.edits));
  }

  #flushAttempts(): void {
    const attempting = this.#attempting;
    if (!attempting) return;
    this.#attempting = undefined;
    const script = ['EVAL', scriptSource('attempt-commands'), 1, this.#keys.applied];
    this.#gather(attempting.commands, [...script, ...attempting.together]);
  }

  #gather(commands: readonly PayloadCommand[], script: readonly Argument[]): void {
    const [first, ...more] = commands as [PayloadCommand, ...PayloadCommand[]];
    this.#push(first.index, encodeCommand(script));
    if (more.length > 0)
      this.#gathered.set(
        this.#payload.length - 1,
        more.map(({ index }) => index),
      );
  }

  /** Sends a command that may give a key a value or a deadline. A deadline that is past is set ahead. */
  #value(command: PayloadCommand, args: readonly Argument[]): void {
    for (const one of withExpiryApart(args, this.#nowMs))
      this.#push(command.index, encodeCommand(this.#isLate(one) ? aheadOf(one) : one));
  }

  #isLate([name, , at, ...more]: readonly Argument[]): boolean {
    const isExpiry = String(name).toUpperCase() === 'PEXPIREAT' && more.length === 0;
    return isExpiry && at !== undefined && isSoon(at, this.#nowMs);
  }

  #push(index: number, bytes: Buffer): void {
    this.#payload.push(bytes);
    this.#origins.push(index);
  }
}

/** A `PEXPIREAT` whose time may be past: then the key ends behind the transaction. */
function aheadOf([, key, at]: readonly Argument[]): readonly Argument[] {
  return ['EVAL', scriptSource('set-deadline'), 1, key!, at!];
}
