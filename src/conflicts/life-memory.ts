/**
 * The ends of keys' lives, kept from batch to batch as long as there are local writes that the peer has not seen. An end may be
 * forgotten, with the process or at the bound. Then it is doubted, and the peer is asked.
 */

import type { Deadlines } from '../local-writes/deadlines.js';
import type { KeyHash } from '../protocol/key-hash.js';
import type { PlacedKey } from '../redis-commands/placed-key.js';
import type { UnseenCommands } from '../local-writes/unseen-on-key.js';
import { nameOf } from '../protocol/payload.js';
import type { Life } from './rules/rule-context.js';

/** Keys remembered of each kind. */
const MAX_LIVES = 65_536;

/** A deadline is near when it may pass before the transaction is carried out. */
export const DUE_MS = 100;

/** What is known of the life of a key. Local writes up to `endedThrough` belong to lives that are over. */
export type KnownLife = Life & { readonly endedThrough: number };

/** What a batch has come to on one key; see `conflicts/rules/lives.ts`. */
export interface LifeNote {
  readonly matched?: { readonly through: number; readonly madeAgainBy: number } | undefined;
  /** Local writes up to this sequence belong to lives that are over. */
  readonly endedThrough?: number | undefined;
}

export class LifeMemory {
  readonly #matched = new Map<string, { readonly through: number; readonly madeAgainBy: number }>();
  readonly #ended = new Map<string, number>();
  readonly #deadlines: Deadlines;
  #forgottenThrough: number;
  #seen = 0;

  /**
   * @param deadlines of this server's keys
   * @param before the last local sequence from before the process began
   */
  constructor(deadlines: Deadlines, before: number) {
    this.#deadlines = deadlines;
    this.#forgottenThrough = before;
  }

  /**
   * What is known of the life of a key before a batch is decided.
   * @param local what was written here that the sender had not seen
   * @param hash that of the key
   */
  known(
    key: PlacedKey,
    { written, askedAt, leavesOut, hasEnded }: UnseenCommands,
    { low, high }: KeyHash,
  ): KnownLife {
    const name = nameOf(key);
    const matched = this.#matched.get(name);
    // Nobody knows the deadline of a key that was removed before the keys were looked at.
    const isOld =
      (written[0]?.sequence ?? Infinity) <= this.#deadlines.lookedBehind &&
      !this.#deadlines.isRemembered(low, high);
    const deadline = isOld ? 'unknown' : this.#deadlines.of(low, high);
    const now = Date.now();
    return {
      now,
      deadline,
      isDoubtful: hasEnded === true || (typeof deadline === 'number' && deadline <= now + DUE_MS),
      matchedThrough: matched?.through ?? 0,
      madeAgainBy: matched?.madeAgainBy ?? Infinity,
      forgottenThrough: this.#forgottenThrough,
      // Its end has not come round in the stream yet.
      isOver: (this.#deadlines.living(low, high) ?? Infinity) <= now,
      askedAt,
      leavesOut,
      endedThrough: this.#ended.get(name) ?? 0,
    };
  }

  /** Takes over what a batch has come to, once it is applied. */
  commit(notes: ReadonlyMap<string, LifeNote>): void {
    for (const [name, { matched, endedThrough }] of notes) {
      if (matched) this.#set(this.#matched, name, matched, ({ through }) => through);
      if (endedThrough !== undefined) this.ended(name, endedThrough);
    }
  }

  /** All local writes on a key up to a sequence belong to lives that are over. */
  ended(name: string, through: number): void {
    this.#set(this.#ended, name, Math.max(through, this.#ended.get(name) ?? 0), (one) => one);
  }

  /** The peer has seen the local writes up to `seen`. */
  advance(seen: number): void {
    this.#seen = Math.max(this.#seen, seen);
  }

  #set<Note>(notes: Map<string, Note>, name: string, note: Note, through: (note: Note) => number): void {
    notes.delete(name);
    if (notes.size >= MAX_LIVES)
      for (const [other, one] of notes) if (through(one) <= this.#seen) notes.delete(other);
    if (notes.size >= MAX_LIVES) {
      const [oldest, lost] = notes.entries().next().value!;
      this.#forgottenThrough = Math.max(this.#forgottenThrough, through(lost));
      notes.delete(oldest);
    }
    notes.set(name, note);
  }
}
