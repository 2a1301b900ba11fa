/**
 * Ends of keys' lives while a batch of the peer's is applied: keys that expire within its transaction, and ends that the batch tells of
 * while local writes slip in.
 */

import type { Deadlines } from './deadlines.js';
import { codesOf } from '../redis-commands/effect-code.js';
import { KeyHash } from '../protocol/key-hash.js';
import { expiredFields } from '../protocol/messages/expired.js';
import type { PlacedKey } from '../redis-commands/placed-key.js';
import { keysOf, nameOf, type PayloadCommand } from '../protocol/payload.js';
import { empty } from './empty.js';
import type { Window } from './window.js';

/** Effects that build on a key's life and end with it. */
const BUILDING = codesOf(
  ...(['cells', 'cell-remove', 'member', 'member-remove', 'member-pop'] as const),
  ...(['sum', 'field-sum', 'score-sum', 'union'] as const),
  ...(['push-left', 'push-right', 'pop-left', 'pop-right', 'pops-left', 'pops-right', 'list-edit'] as const),
  ...(['entry', 'entry-trim', 'entry-remove', 'delivery', 'stream', 'modify'] as const),
);

/** Effects that build on a field. */
const BUILDING_ON_FIELD = codesOf('field-sum', 'cell-remove', 'field-expired');

/** A key whose life ended while a change of the peer's was applied. */
export interface EndedKey extends PlacedKey {
  /** In ms since 1970. */
  readonly at: number;
}

const NONE: readonly EndedKey[] = [];

export class LateEnds {
  readonly #window: Window;
  readonly #deadlines: Deadlines;
  readonly #onLifeEnded: (name: string, through: number, fields: readonly Buffer[]) => void;
  readonly #hash = new KeyHash();
  /** Keys whose life has ended in the applied transaction, at a deadline that is known. */
  readonly #ended = new Map<string, EndedKey>();

  /** @param options `onLifeEnded`: local writes on a key up to a sequence belong to a life that has ended at the peer */
  constructor(
    window: Window,
    {
      deadlines,
      onLifeEnded,
    }: {
      deadlines: Deadlines;
      onLifeEnded: (name: string, through: number, fields: readonly Buffer[]) => void;
    },
  ) {
    this.#window = window;
    this.#deadlines = deadlines;
    this.#onLifeEnded = onLifeEnded;
  }

  get isEmpty(): boolean {
    return this.#ended.size === 0;
  }

  clear(): void {
    empty(this.#ended);
  }

  /** The transaction has ended. @returns the keys whose lives ended in it */
  take(): readonly EndedKey[] {
    if (this.#ended.size === 0) return NONE;
    const ended = [...this.#ended.values()];
    this.#ended.clear();
    return ended;
  }

  /** The stream has a removal that no command of the transaction explains. @returns whether the key's deadline is known, and was past */
  expired(key: PlacedKey): boolean {
    this.#hash.of(key.database, key.key, 0, key.key.length);
    const at = this.#deadlines.passedInApplied(this.#hash);
    if (at !== undefined) this.#ended.set(nameOf(key), { ...key, at });
    return at !== undefined;
  }

  /** A command that makes the key again, behind its end and in the same transaction, belongs to the peer's next life. */
  madeAnew(command: PayloadCommand): void {
    if (this.#ended.size === 0 || command.spec === undefined) return;
    for (const key of keysOf(command, 'written')) this.#ended.delete(nameOf(key));
  }

  /**
   * True if every local write that slipped in before the end of a key's life, or of its fields' lives, was built on that life. Such
   * writes end with it. A deadline that was put off, or a new value, does not.
   * @param echo `from`: running number in the window of the first local write after the decision; `isBlind`: it may have forgotten some
   */
  endsWhatIsLate(
    { from, isBlind }: { readonly from: number; readonly isBlind: boolean },
    command: PayloadCommand,
  ): boolean {
    if (isBlind) return false;
    const [key] = keysOf(command, 'written') as [PlacedKey];
    this.#hash.of(key.database, key.key, 0, key.key.length);
    const fields = expiredFields(command.args);
    const building = fields.length > 0 ? BUILDING_ON_FIELD : BUILDING;
    let newest = 0;
    let entry = this.#window.newest(this.#hash.low, this.#hash.high);
    for (; entry >= from; entry = this.#window.older(entry)) {
      if (!building.has(this.#window.effectOf(entry))) return false;
      newest = Math.max(newest, this.#window.sequenceOf(entry));
    }
    if (newest > 0) this.#onLifeEnded(nameOf(key), newest, fields);
    return true;
  }
}
