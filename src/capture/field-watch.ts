/** Follows the stream for the deadlines that fields of hashes are given, lose, and come to. */

import type { CommandSpec } from '../redis-commands/command-table.js';
import type { FieldDeadlines } from '../local-writes/field-deadlines.js';
import { fieldWrites } from '../redis-commands/field-commands.js';
import { KeyHash } from '../protocol/key-hash.js';
import { FIELDS, parseFieldDeadlines } from '../protocol/messages/field-deadlines.js';

export class FieldWatch {
  readonly #deadlines: FieldDeadlines;
  readonly #hash = new KeyHash();
  /** The hash whose fields have ended with the last command, in a transaction. */
  #emptied: Buffer | undefined;

  constructor(deadlines: FieldDeadlines) {
    this.#deadlines = deadlines;
  }

  /** Whether a command on one key has to do with a deadline of a field. @param hash that of the key */
  concerns({ low, high }: KeyHash, { effect, name, type }: CommandSpec): boolean {
    if (effect === 'cell-expire' || name === 'HSETEX') return true;
    const isOnHash = type === 'hash' || type === 'any' || effect === 'set';
    return isOnHash && this.#deadlines.has(low, high);
  }

  /** A command on one key has run. @param args the name first */
  observe(spec: CommandSpec, args: readonly Buffer[], database: number): void {
    const key = args[1];
    if (key === undefined) return;
    this.#hash.of(database, key, 0, key.length);
    const { low, high } = this.#hash;
    if (!this.concerns(this.#hash, spec)) return;
    if (spec.type === 'hash') {
      for (const { field, given } of fieldWrites(spec.name, args) ?? [])
        this.#wrote(low, high, field.toString('latin1'), given);
    } else if (spec.effect !== 'expire' && spec.effect !== 'none') this.#deadlines.dropped(low, high);
  }

  /** The fields of an `HDEL` whose deadlines have all passed, with the last of these; undefined when a client has removed one. */
  ended(name: string, args: readonly Buffer[], database: number): number | undefined {
    if (name !== 'HDEL' || this.#deadlines.isEmpty || args.length < 3) return undefined;
    const key = args[1]!;
    this.#hash.of(database, key, 0, key.length);
    const { low, high } = this.#hash;
    if (!this.#deadlines.has(low, high)) return undefined;
    let last = 0;
    for (const field of args.slice(2)) {
      const at = this.#deadlines.passed(low, high, field.toString('latin1'));
      if (at === undefined) return undefined;
      last = Math.max(last, at);
    }
    return last;
  }

  /** An `HSETEX` that gives no time, in words that say what its fields have: nothing where that is not known, or is not the same for all. */
  inFull(name: string, args: readonly Buffer[], database: number): Buffer[] | undefined {
    const writes = name === 'HSETEX' ? (fieldWrites(name, args) ?? []) : [];
    if (writes.length === 0 || typeof writes[0]!.given === 'number') return undefined;
    const key = args[1]!;
    this.#hash.of(database, key, 0, key.length);
    const { low, high } = this.#hash;
    const [at, ...others] = new Set(
      writes.map(({ field, given }) =>
        given === 'none' ? given : this.#deadlines.standing(low, high, field.toString('latin1')),
      ),
    );
    if (others.length > 0 || at === 'unknown') return undefined;
    const pairs = writes.flatMap(({ field, value }) => [field, value!]);
    if (at === 'none') return [Buffer.from('HSET'), key, ...pairs];
    const words = ['PXAT', at, 'FIELDS', writes.length].map((word) => Buffer.from(String(word)));
    return [Buffer.from(name), key, ...words, ...pairs];
  }

  /**
   * Whether a removal of a hash says no more than that its last fields have ended with the command before, in the same transaction:
   * Valkey says that by itself. @param passed the deadline that a removal of fields, or of the key, has come with
   */
  isEmptied({
    isRemoval,
    key,
    passed,
    isInGroup,
  }: {
    isRemoval: boolean;
    key: Buffer | undefined;
    passed: number | undefined;
    isInGroup: boolean;
  }): boolean {
    const isEmptied = isRemoval && isInGroup && this.#emptied?.equals(key!) === true;
    const hasEnded = !isRemoval && passed !== undefined && isInGroup;
    this.#emptied = hasEnded ? Buffer.from(key!) : undefined;
    return isEmptied;
  }

  /** Notes the deadlines of the fields of a hash that came as a whole. @param args of a message @returns whether it says that */
  told(args: readonly Buffer[]): boolean {
    if (args[0]!.toString('latin1') !== FIELDS) return false;
    const { database, key, deadlines } = parseFieldDeadlines(args);
    this.#hash.of(database, key, 0, key.length);
    const { low, high } = this.#hash;
    this.#deadlines.dropped(low, high);
    for (const [field, deadline] of deadlines) this.#deadlines.given(low, high, field, deadline);
    return true;
  }

  #wrote(low: number, high: number, field: string, given: number | 'none' | 'kept' | 'removed'): void {
    if (given === 'none') this.#deadlines.cleared(low, high, field);
    else if (given === 'kept') this.#deadlines.built(low, high, field);
    else if (given === 'removed') this.#deadlines.removed(low, high, field);
    else if (Number.isFinite(given)) this.#deadlines.given(low, high, field, given);
  }
}
