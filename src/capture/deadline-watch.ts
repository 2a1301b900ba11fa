/** Follows the stream for the deadlines that keys are given, lose, and come to. */

import type { KnownName } from '../redis-commands/command-names.js';
import type { CommandReader } from '../redis-commands/command-reader.js';
import {
  destinationDatabase,
  keepsExpiry,
  writtenKeys,
  type CommandSpec,
} from '../redis-commands/command-table.js';
import { isAbsoluteRestore } from '../redis-commands/options/key-options.js';
import { isExpiry, setOptions } from '../redis-commands/options/value-options.js';
import type { Deadlines } from '../local-writes/deadlines.js';
import { KeyHash } from '../protocol/key-hash.js';
import { FieldWatch } from './field-watch.js';
import { KeptDeadlines } from './kept-deadlines.js';

/** The deadline that a command leaves a key with; undefined for the one it had. */
type Given = number | 'none' | 'unknown' | undefined;

export class DeadlineWatch {
  readonly #deadlines: Deadlines;
  readonly fields: FieldWatch;
  readonly kept: KeptDeadlines;
  readonly #hash = new KeyHash();

  constructor(deadlines: Deadlines) {
    this.#deadlines = deadlines;
    this.fields = new FieldWatch(deadlines.fields);
    this.kept = new KeptDeadlines(deadlines);
  }

  /** A command without options, in the reader, has written one key. @param hash that of the key */
  plain(hash: KeyHash, spec: CommandSpec, reader: CommandReader): void {
    const { name, effect } = spec;
    if (effect === 'remove' || effect === 'set') this.#deadlines.fields.dropped(hash.low, hash.high);
    if (effect === 'expire') this.#give(hash, givenBy(name, reader.arguments()));
    else if (this.#deadlines.isEmpty) return;
    else if (effect === 'set') this.#deadlines.cleared(hash.low, hash.high);
    else this.#deadlines.built(hash.low, hash.high);
  }

  /** A command of the peer's, applied here, has come round. */
  echoed(reader: CommandReader, known: KnownName, database: number): void {
    const { spec, plainUpTo } = known;
    if (spec?.singleKey !== true || reader.argc > plainUpTo || reader.argc < 2) {
      this.observe(known, reader.arguments(), database);
      return;
    }
    const { isEmpty, fields } = this.#deadlines;
    if (isEmpty && fields.isEmpty && spec.effect !== 'expire') return;
    this.#hash.of(database, reader.buffer, reader.argumentStart(1), reader.argumentEnd(1));
    if (spec.type === 'hash' && this.fields.concerns(this.#hash, spec)) {
      this.observe(known, reader.arguments(), database);
      return;
    }
    this.plain(this.#hash, spec, reader);
  }

  /** Any command has run. @param args the name first */
  observe({ name, spec }: KnownName, args: readonly Buffer[], database: number): void {
    if (spec === undefined) return;
    if (spec.effect === 'flush' || spec.effect === 'swap') {
      this.#deadlines.forget(name === 'FLUSHALL');
      return;
    }
    if (spec.effect === 'none' || spec.effect === 'publish' || spec.effect === 'function') return;
    if (spec.singleKey) this.fields.observe(spec, args, database);
    const isGiving = spec.effect === 'expire' || spec.effect === 'set' || name === 'SETNX';
    if (spec.type === 'any' && (spec.effect === 'move' || spec.effect === 'derive')) {
      this.#taken(spec, args, database);
      return;
    }
    for (const index of writtenKeys(spec, args)) {
      const key = args[index]!;
      this.#hash.of(database, key, 0, key.length);
      const { low, high } = this.#hash;
      if (!spec.singleKey) this.#deadlines.fields.dropped(low, high);
      if (isGiving && !keepsExpiry(spec, args)) this.#give(this.#hash, givenBy(name, args));
      else if (spec.effect === 'remove') this.#deadlines.removed(low, high);
      // A key made of other keys has no deadline.
      else if (spec.effect === 'derive') this.#deadlines.cleared(low, high);
      else this.#deadlines.built(low, high);
    }
  }

  /** The deadline that has ended the life of a key, or of fields, that a command removes; undefined when a client has removed them. */
  ended(
    { known, args, isRemoval }: { known: KnownName; args: readonly Buffer[]; isRemoval: boolean },
    database: number,
  ): number | undefined {
    if (!isRemoval) return this.fields.ended(known.name, args, database);
    if (this.#deadlines.isEmpty) return undefined;
    const key = args[1]!;
    this.#hash.of(database, key, 0, key.length);
    return this.#deadlines.passed(this.#hash.low, this.#hash.high);
  }

  /** Notes what a message says to this site alone. @returns whether it is one of those */
  told(args: readonly Buffer[]): boolean {
    return this.fields.told(args) || this.kept.told(args);
  }

  /** `RENAME`, `MOVE` and `COPY` take the deadline along. */
  #taken(spec: CommandSpec, args: readonly Buffer[], database: number): void {
    const { name } = spec;
    const [from, to] = [args[1]!, name === 'MOVE' ? args[1]! : args[2]!];
    const target = destinationDatabase(spec, args) ?? database;
    this.#hash.of(database, from, 0, from.length);
    const { low, high } = this.#hash;
    const deadline = this.#deadlines.of(low, high);
    if (name !== 'COPY') this.#deadlines.removed(low, high);
    this.#hash.of(target, to, 0, to.length);
    this.#deadlines.fields.copied([low, high], [this.#hash.low, this.#hash.high]);
    if (name !== 'COPY') this.#deadlines.fields.dropped(low, high);
    this.#give(this.#hash, deadline);
  }

  #give({ low, high }: KeyHash, given: Given): void {
    if (given === undefined) return;
    if (given === 'none') this.#deadlines.cleared(low, high);
    else if (given === 'unknown') this.#deadlines.doubted(low, high);
    else this.#deadlines.given(low, high, given);
  }
}

function givenBy(name: string, args: readonly Buffer[]): Given {
  const text = (index: number): string => args[index]?.toString('latin1') ?? '';
  const number = (index: number, unit = 1): Given => {
    const value = Number(text(index)) * unit;
    return Number.isFinite(value) && value > 0 ? value : 'unknown';
  };
  switch (name) {
    case 'PEXPIREAT':
      return number(2);
    case 'EXPIREAT':
      return number(2, 1000);
    case 'PERSIST':
      return 'none';
    case 'SET': {
      const expiry = setOptions(args).find(isExpiry);
      if (!expiry) return 'none';
      return expiry.name === 'PXAT' ? number(expiry.at + 1) : 'unknown';
    }
    case 'SETNX':
    case 'GETSET':
    case 'MSET':
      return 'none';
    case 'RESTORE':
    case 'RESTORE-ASKING':
      if (text(2) === '0') return 'none';
      return isAbsoluteRestore(args) ? number(2) : 'unknown';
    default:
      return 'unknown';
  }
}
