import { CELL_COMMANDS } from './cells.js';
import { KEY_COMMANDS } from './keys.js';
import { LIST_COMMANDS } from './lists.js';
import { STREAM_COMMANDS } from './streams.js';
import { STRING_COMMANDS } from './strings.js';
import { type Slot, type Value, type ValueType, cloneSlot, showSlot, sizeOf } from './value.js';

/** A command as it stands in a replication stream: the name in upper case, then the arguments. */
export type Argv = readonly string[];

/** Runs a command; false when it had no effect, also because the key holds another type. */
export type Run = (store: Store, argv: Argv) => boolean;

const COMMANDS: Readonly<Record<string, Run>> = {
  ...KEY_COMMANDS,
  ...STRING_COMMANDS,
  ...CELL_COMMANDS,
  ...LIST_COMMANDS,
  ...STREAM_COMMANDS,
};

/** A pure Redis in memory: one database, the commands of {@link COMMANDS}, no clock (an expiry is only a number). */
export class Store {
  readonly #slots = new Map<string, Slot>();

  /** True when the command had an effect: otherwise it would not stand in the replication stream. */
  run(argv: Argv): boolean {
    const command = COMMANDS[argv[0]!];
    if (!command) throw new Error(`the model does not know ${argv[0]}`);
    return command(this, argv);
  }

  get(key: string): Slot | undefined {
    return this.#slots.get(key);
  }

  /** Takes the slot as it is; nothing removes the key. */
  put(key: string, slot: Slot | undefined): void {
    if (slot) this.#slots.set(key, slot);
    else this.#slots.delete(key);
  }

  /** The value if it is of this type, undefined if there is none; false if the key holds another type. */
  read<Type extends ValueType>(key: string, type: Type): Extract<Value, { type: Type }> | undefined | false {
    const value = this.#slots.get(key)?.value;
    if (!value) return undefined;
    return value.type === type ? (value as Extract<Value, { type: Type }>) : false;
  }

  /** Replaces the value and leaves the expiry. */
  write(key: string, value: Value): void {
    const slot = this.#slots.get(key);
    if (slot) slot.value = value;
    else this.#slots.set(key, { value, expiresAt: undefined });
  }

  /** An emptied hash, set, sorted set or list vanishes together with its expiry, without a `DEL` in the stream. */
  vanishIfEmpty(key: string): void {
    const value = this.#slots.get(key)?.value;
    if (value && value.type !== 'stream' && value.type !== 'hyperloglog' && sizeOf(value) === 0)
      this.#slots.delete(key);
  }

  copy(key: string): Slot | undefined {
    return cloneSlot(this.#slots.get(key));
  }

  keys(): string[] {
    return [...this.#slots.keys()];
  }

  /** Equal for stores with the same data. */
  show(): string {
    return [...this.#slots]
      .map(([key, slot]) => `${key}: ${showSlot(slot)}`)
      .toSorted()
      .join('\n');
  }
}
