/** Translates commands that do not run here as they came. */

import type { Translator } from '../conflicts/plan-options.js';
import type { Filter } from '../config/filter.js';
import type { DeliveredBatch } from '../protocol/batch.js';
import type { KeyState } from '../protocol/messages/state.js';
import type { PayloadCommand } from '../protocol/payload.js';
import type { PlacedKey } from '../redis-commands/placed-key.js';
import { allKeys, type KeyNames } from '../redis/keys.js';
import { takes } from '../redis/restorable.js';
import { translateComparison } from './translate-comparison.js';
import { translateWhole } from './whole-databases.js';

export interface CommandTranslatorOptions {
  readonly keys: KeyNames;
  /** How many databases the server has. */
  readonly databases: number;
  /** Versions of dumps that the server takes; empty while they are not known. */
  readonly restorable: string;
  /** Whether fields of a hash can expire here. */
  readonly fieldsExpire: boolean;
  readonly filter: Filter;
}

export class CommandTranslator implements Translator {
  readonly #options: CommandTranslatorOptions;
  readonly #internalKeys: readonly string[];

  constructor(options: CommandTranslatorOptions) {
    this.#options = options;
    this.#internalKeys = allKeys(options.keys);
  }

  translate(command: PayloadCommand, kept?: readonly PlacedKey[]): Buffer | undefined {
    return translateWhole(command, this.#internalKeys, this.#options.databases, kept);
  }

  answer(command: PayloadCommand, { seen }: DeliveredBatch): Buffer | undefined {
    const { keys, fieldsExpire, databases, filter } = this.#options;
    const { out, waits } = keys;
    return translateComparison(command, { out, waits, seen, fieldsExpire, databases, filter });
  }

  isTaken({ dump, isLast }: KeyState): boolean {
    return isLast || takes(this.#options.restorable, dump);
  }

  isExcluded({ database, key }: PlacedKey): boolean {
    return !this.#options.filter.key(database, key);
  }
}
