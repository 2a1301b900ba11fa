/**
 * The ends of fields' lives, kept from batch to batch as `life-memory.ts` keeps those of keys; and the commands that run on fields
 * with a deadline.
 */

import { BoundedMap } from '../async/bounded-map.js';
import type { FieldDeadlines } from '../local-writes/field-deadlines.js';
import { fieldWrites } from '../redis-commands/field-commands.js';
import { fieldOptions, fieldsAt } from '../redis-commands/options/field-options.js';
import { encodeCommand } from '../redis-commands/encode-command.js';
import { lastSequence, type DeliveredBatch } from '../protocol/batch.js';
import type { KeyHash } from '../protocol/key-hash.js';
import { EXPIRED, expiredAt, expiredFields } from '../protocol/messages/expired.js';
import { encodeNeed, LACK } from '../protocol/messages/state-request.js';
import type { PlacedKey } from '../redis-commands/placed-key.js';
import { scriptSource } from '../lua/scripts.js';
import { isSoon } from '../redis-commands/late-expiry.js';
import type { UnseenCommands } from '../local-writes/unseen-on-key.js';
import { keysOf, nameOf, type PayloadCommand } from '../protocol/payload.js';
import type { FieldChange, FieldLife } from './rules/rule-context.js';

/** Hashes remembered. */
const MAX_HASHES = 16_384;

const KEEPING = ['KEEPTTL', 'FIELDS', '1'].map((word) => Buffer.from(word));

interface Note {
  readonly matched?: { readonly through: number; readonly madeAgainBy: number } | undefined;
  readonly endedThrough?: number | undefined;
}

/** The fields of a hash, as they are known before a batch is decided. */
export interface KnownFields {
  readonly of: (field: string) => FieldLife;
  /** Local writes on a field up to this sequence belong to lives that are over. */
  readonly endedThrough: (field: string) => number;
}

export class FieldLives {
  readonly #deadlines: FieldDeadlines;
  readonly #notes = new BoundedMap<string, Map<string, Note>>(MAX_HASHES);
  #forgottenThrough: number;

  /** @param before the last local sequence from before the process began */
  constructor(deadlines: FieldDeadlines, before: number) {
    this.#deadlines = deadlines;
    this.#forgottenThrough = before;
  }

  /** @param local the local writes that the sender had not seen @param hash that of the key */
  known(key: PlacedKey, { written }: UnseenCommands, { low, high }: KeyHash): KnownFields {
    const notes = this.#notes.get(nameOf(key));
    // Nobody knows the deadline of a field that was removed before all were looked at.
    const isOld = (written[0]?.sequence ?? Infinity) <= this.#deadlines.lookedBehind;
    return {
      endedThrough: (field) => notes?.get(field)?.endedThrough ?? 0,
      of: (field) => {
        const matched = notes?.get(field)?.matched;
        return {
          deadline: this.#deadlines.of(low, high, field, isOld),
          isLiving: this.#deadlines.living(low, high, field) !== undefined,
          matchedThrough: matched?.through ?? 0,
          madeAgainBy: matched?.madeAgainBy ?? Infinity,
          forgottenThrough: this.#forgottenThrough,
        };
      },
    };
  }

  /** Local writes on fields up to a sequence belong to lives that are over. @param name of the hash */
  ended(name: string, fields: readonly Buffer[], through: number): void {
    const changes = fields.map((field) => ({ field: field.toString('latin1'), isEnded: true }));
    this.commit(new Map([[name, changes]]), through);
  }

  /** Takes over what a batch has come to, once it is applied. @param decided the last local sequence it took into account */
  commit(changes: ReadonlyMap<string, readonly FieldChange[]>, decided: number): void {
    for (const [name, fields] of changes) {
      const notes = this.#notes.get(name) ?? new Map<string, Note>();
      for (const { field, matched, isEnded } of fields) {
        const note = notes.get(field);
        const endedThrough =
          isEnded === true ? Math.max(decided, note?.endedThrough ?? 0) : note?.endedThrough;
        notes.set(field, { matched: matched ?? note?.matched, endedThrough });
      }
      if (this.#notes.set(name, notes)) this.#forgottenThrough = decided;
    }
  }
}

/** The command that runs for a `TANDEM.EXPIRED` of a key without local writes that its sender had not seen. */
export function endOf({ args }: PayloadCommand, { key }: PlacedKey): Buffer {
  const fields = expiredFields(args);
  if (fields.length === 0) return encodeCommand(['DEL', key]);
  return encodeCommand(['EVAL', scriptSource('end-fields'), 1, key, expiredAt(args), ...fields]);
}

/** Runs what a batch has on hashes whose fields have a deadline. */
export class FieldCommands {
  readonly #deadlines: FieldDeadlines;
  readonly #out: string;
  readonly #hashOf: (key: PlacedKey) => KeyHash;

  /** @param out the key that carries Tandem's own commands */
  constructor(deadlines: FieldDeadlines, out: string, hashOf: (key: PlacedKey) => KeyHash) {
    this.#deadlines = deadlines;
    this.#out = out;
    this.#hashOf = hashOf;
  }

  /** Whether a command has to do with fields that have a deadline, or gives them one. */
  concerns(command: PayloadCommand): boolean {
    const { name, args, database, spec } = command;
    if (name === EXPIRED) return expiredFields(args).length > 0;
    if (spec?.type !== 'hash' || args.length < 2) return false;
    if (spec.effect === 'cell-expire' || name === 'HSETEX') return true;
    if (this.#deadlines.isEmpty) return false;
    const { low, high } = this.#hashOf({ database, key: args[1]! });
    return this.#deadlines.has(low, high);
  }

  /** The commands sent for one that meets nothing. A command that builds on a field runs only where the field is there. */
  asSent(command: PayloadCommand, { timestamp }: { readonly timestamp: number }): readonly Buffer[] {
    const { name, args, database } = command;
    if (!this.concerns(command)) return [command.bytes];
    const key = { database, key: args[1]! };
    const { low, high } = this.#hashOf(key);
    const writes = fieldWrites(name, args);
    const untilOf = (field: Buffer): number | undefined =>
      this.#deadlines.living(low, high, field.toString('latin1'));
    const guarded = (at: number, field: Buffer, words: readonly Buffer[]): Buffer => {
      const need = encodeNeed({ timestamp, lack: LACK.peerWrites, keys: [key] });
      const until = Number.isFinite(at) ? at : Number.MAX_SAFE_INTEGER;
      const script = [
        'EVAL',
        scriptSource('write-on-field'),
        2,
        key.key,
        this.#out,
        database,
        need,
        until,
        field,
      ];
      return encodeCommand([...script, ...words]);
    };
    const at = writes?.[0] ? untilOf(writes[0].field) : undefined;
    const isBuild = name === 'HINCRBY' || (writes?.length === 1 && writes[0]!.given === 'kept');
    if (isBuild && at !== undefined) return [guarded(at, writes![0]!.field, args)];
    // Its deadline is not known here, nor is it at its origin: it must not be made anew without one.
    if (name === 'HSETEX' && writes?.[0]?.given === 'kept' && this.#deadlines.has(low, high))
      return writes.map(({ field, value }) =>
        guarded(Infinity, field, [...args.slice(0, 2), ...KEEPING, field, value!]),
      );
    if (name === 'HPEXPIREAT' && args.length > 5 && fieldsAt(args) === 3)
      return writes!.flatMap(({ field, given }) => {
        const isFirst = untilOf(field) === undefined && !isSoon(String(given), Date.now());
        const words = [...args.slice(0, 4), Buffer.from('1'), field];
        return [isFirst ? encodeCommand(words) : guarded(Number(given), field, words)];
      });
    if (name === 'HSETEX' && fieldOptions(args)[0]?.name === 'PXAT' && isSoon(args[3]!, Date.now()))
      return [encodeCommand(['EVAL', scriptSource('set-fields'), 1, key.key, 4, ...args])];
    return [command.bytes];
  }

  /** A batch with this command is about to be applied: the next one may be decided before that has come round. */
  decided(command: PayloadCommand, batch: DeliveredBatch): void {
    const { name, args, database, spec } = command;
    const last = lastSequence(batch);
    if (spec?.type !== 'hash' && !(name === EXPIRED && expiredFields(args).length > 0)) {
      this.#dropped(command, last);
      return;
    }
    if (!this.concerns(command)) return;
    const { low, high } = this.#hashOf({ database, key: args[name === EXPIRED ? 2 : 1]! });
    for (const field of name === EXPIRED ? expiredFields(args) : [])
      this.#deadlines.comesRemoved(low, high, field.toString('latin1'), last);
    for (const { field, given } of fieldWrites(name, args) ?? []) {
      const cell = field.toString('latin1');
      if (given === 'removed') this.#deadlines.comesRemoved(low, high, cell, last);
      else if (given === 'none') this.#deadlines.comesCleared(low, high, cell, last);
      else if (typeof given === 'number' && Number.isFinite(given))
        this.#deadlines.comes(low, high, cell, given, last);
    }
  }

  /** Notes the deadlines of fields that live at the peer and are not here. */
  told(key: PlacedKey, changes: readonly FieldChange[], batch: DeliveredBatch): void {
    const { low, high } = this.#hashOf(key);
    for (const { field, livesThere } of changes)
      if (livesThere !== undefined) this.#deadlines.comes(low, high, field, livesThere, lastSequence(batch));
  }

  /** Notes that a hash is removed or replaced as a whole. A state names the deadlines of its fields itself. */
  #dropped(command: PayloadCommand, last: number): void {
    const { name, spec } = command;
    if (this.#deadlines.isEmpty || (spec === undefined && name !== EXPIRED)) return;
    if (spec && (spec.effect === 'expire' || spec.effect === 'none')) return;
    for (const key of keysOf(command, 'written')) {
      const { low, high } = this.#hashOf(key);
      this.#deadlines.comesDropped(low, high, last);
    }
  }
}
