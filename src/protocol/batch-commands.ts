import type { Batch } from './batch.js';
import type { BatchIndex } from './batch-index.js';
import type { KeyHash } from './key-hash.js';
import { CommandReader } from '../redis-commands/command-reader.js';
import { currentCommand, type ExtraCommands, type PayloadCommand } from './payload.js';

/**
 * The commands of a batch. One is taken apart when it is asked for, once: where two sites write much at the same time, most commands of
 * a batch still meet nothing. Those that were asked for stay as long as this does, so it goes with the plan.
 */
export class BatchCommands {
  readonly #payload: Buffer;
  readonly #index: BatchIndex;
  readonly #extra: ExtraCommands | undefined;
  readonly #reader = new CommandReader();
  readonly #known: (PayloadCommand | undefined)[];

  /**
   * @param extra the rows with which the batch was walked over
   * @param known commands that are taken apart by now, by their place
   */
  constructor(
    { payload }: Pick<Batch, 'payload'>,
    index: BatchIndex,
    extra: ExtraCommands | undefined,
    known: readonly (PayloadCommand | undefined)[] = [],
  ) {
    this.#payload = payload;
    this.#index = index;
    this.#extra = extra;
    this.#known = [...known];
  }

  /** How many there are, each `SELECT` included. */
  get count(): number {
    return this.#index.count;
  }

  /** Whether a command only writes one key, without any option, and that key is not `met`. */
  isPlain(index: number, met: (hash: KeyHash) => boolean): boolean {
    return this.#index.isPlain(index, met);
  }

  /** The command at a place. */
  at(index: number): PayloadCommand {
    return (this.#known[index] ??= this.#takeApart(index));
  }

  /** Its bytes alone. */
  bytesAt(index: number): Buffer {
    const end = index + 1 < this.count ? this.#index.startOf(index + 1) : this.#payload.length;
    return this.#payload.subarray(this.#index.startOf(index), end);
  }

  *[Symbol.iterator](): Generator<PayloadCommand> {
    for (let index = 0; index < this.count; index++) yield this.at(index);
  }

  #takeApart(index: number): PayloadCommand {
    this.#reader.push(this.bytesAt(index));
    this.#reader.next();
    return { ...currentCommand(this.#reader, this.#index.databaseOf(index), this.#extra), index };
  }
}
