/** The commands of a batch that are sent as they came, though their keys have local writes that the sender had not seen. */

import type { DeliveredBatch } from '../protocol/batch.js';
import { effectOnKey, moveEnds } from '../redis-commands/command-table.js';
import { effectCode, isOnMembers, isPop } from '../redis-commands/effect-code.js';
import { encodeCommand } from '../redis-commands/encode-command.js';
import { encodeNeed, LACK } from '../protocol/messages/state-request.js';
import type { PlacedKey } from '../redis-commands/placed-key.js';
import { scriptSource } from '../lua/scripts.js';
import { isOnOneKey } from '../protocol/command-kinds.js';
import { keysOf, nameOf, type PayloadCommand } from '../protocol/payload.js';
import type { KnownKeys } from './known-keys.js';
import type { BatchPlannerOptions } from './plan-options.js';
import type { PlannedKeys } from './planned-keys.js';
import type { KnownPlaces } from './rules/list-places.js';
import { askingWithDeadline } from './rules/expiry.js';
import { LocalPieces } from './rules/local-pieces.js';
import type { EntryCommands, PlacedEntry } from './stream-entries.js';

/** Elements that late pushes may have added beside those that are known, for the question whether a pop took the last one. */
const LATE_ELEMENTS = 8;
/** Local changes of a list that are looked up for that. With more, a list with an expiry is asked for, whatever its length. */
const MAX_COUNTED = 1000;
const MANY_ELEMENTS = 1e9;

export class FreeCommands {
  readonly #options: Pick<BatchPlannerOptions, 'keys'>;
  readonly #onEntries: EntryCommands;
  readonly #batch: DeliveredBatch;
  readonly #known: KnownKeys;
  /** Lists whose places are unknown by now, though no key was looked at. */
  readonly passed = new Map<string, KnownPlaces>();
  /** Lists with local pushes from which the batch has popped, with the last command that did. */
  readonly #popped = new Map<string, { readonly key: PlacedKey; command: PayloadCommand }>();

  constructor(
    batch: DeliveredBatch,
    known: KnownKeys,
    options: Pick<BatchPlannerOptions, 'keys'>,
    onEntries: EntryCommands,
  ) {
    this.#onEntries = onEntries;
    this.#batch = batch;
    this.#known = known;
    this.#options = options;
  }

  /**
   * Whether a command comes to the same when it runs as it is. Only whole keys are told apart here: a sum of one field commutes with that
   * of another, and not with the field's being overwritten.
   * @param runs what the batch has planned so far
   */
  isFree(command: PayloadCommand, runs: PlannedKeys): boolean {
    const { spec, args } = command;
    if (spec === undefined || !(isOnOneKey(command) || moveEnds(spec, args))) return false;
    return keysOf(command, 'all').every((key, at) => {
      const effect = effectOnKey(spec, args, at);
      if (!runs.isPlain(key) || !this.#known.commutes(key, effect)) return false;
      if (isOnMembers(effectCode(effect)) && this.#known.isOnLocalMember(command)) return false;
      // Behind a local write that a push of this batch has gone past, an end is another one.
      return !(isPop(effectCode(effect)) && this.passed.has(nameOf(key)));
    });
  }

  /** Takes note of such a command. @returns what runs for it */
  run(command: PayloadCommand): readonly (Buffer | PlacedEntry)[] {
    for (const [at, key] of keysOf(command, 'written').entries()) {
      const [name, effect] = [nameOf(key), effectOnKey(command.spec!, command.args, at)];
      const upTo = this.#known.passedOn(key, effect);
      if (upTo > 0) this.passed.set(name, { upTo, seen: this.#batch.seen, places: undefined });
      if (!isPop(effectCode(effect)) || this.#known.isUntouched(key)) continue;
      this.#popped.delete(name);
      this.#popped.set(name, { key, command });
    }
    return this.#onEntries.of(command);
  }

  /** The commands that ask the peer, where a pop may have taken the last element and the expiry there, while local pushes keep both here. */
  async doubts(): Promise<{ readonly command: PayloadCommand; readonly bytes: Buffer }[]> {
    const { out } = this.#options.keys;
    const found: { readonly command: PayloadCommand; readonly bytes: Buffer }[] = [];
    for (const { key, command } of this.#popped.values()) {
      const isLong = this.#known.isMoreOn(key, MAX_COUNTED);
      const added = isLong
        ? MANY_ELEMENTS
        : new LocalPieces((await this.#known.unseenOn(key)).pieces).additions + LATE_ELEMENTS;
      const need = encodeNeed({ timestamp: this.#batch.timestamp, lack: LACK.nothing, keys: [key] });
      const asking = askingWithDeadline(need, key);
      found.push({ command, bytes: encodeCommand(['SELECT', key.database]) });
      found.push({
        command,
        bytes: encodeCommand(['EVAL', scriptSource('ask-doubted-expiry'), 1, out, key.key, added, asking]),
      });
    }
    return found;
  }
}
