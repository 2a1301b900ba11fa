/**
 * Gathers the commands of consecutive changes into the payload of a batch. Nothing is copied until the batch is cut:
 * commands that stand side by side in the stream are one slice.
 */

import { encodeCommand } from '../change/encode-command.js';

/** What a cut hands over; sequence, timestamp and the rest of the header are capture's business. */
export interface BuiltBatch {
  readonly payload: Buffer;
  readonly changes: number;
  readonly commands: number;
  readonly special: number;
  readonly groups: number[];
}

/** A place to return to: where an open transaction began. */
interface Mark {
  readonly slices: number;
  readonly bytes: number;
  readonly commands: number;
  readonly special: number;
  readonly database: number;
}

const NO_DATABASE = -1;

export class BatchBuilder {
  #slices: Buffer[] = [];
  #bytes = 0;
  #commands = 0;
  #changes = 0;
  #special = 0;
  #groups: number[] = [];
  /** Database the payload has selected so far. */
  #database = NO_DATABASE;
  /** The slice that still grows. */
  #open: Buffer | undefined;
  #openStart = 0;
  #openEnd = 0;
  #mark: Mark | undefined;

  get bytes(): number {
    return this.#bytes;
  }

  get commands(): number {
    return this.#commands;
  }

  /** Changes complete so far. */
  get changes(): number {
    return this.#changes;
  }

  /** Adds a command that lies in `buffer` from `start` to `end` and runs in `database`. */
  add(buffer: Buffer, start: number, end: number, database: number): void {
    if (database !== this.#database) this.#select(database);
    if (this.#open === buffer && this.#openEnd === start) {
      this.#openEnd = end;
    } else {
      this.#closeSlice();
      this.#open = buffer;
      this.#openStart = start;
      this.#openEnd = end;
    }
    this.#bytes += end - start;
    this.#commands++;
    if (!this.#mark) this.#changes++;
  }

  /** Adds a command of Tandem's own making. */
  addSpecial(bytes: Buffer, database: number): void {
    this.add(bytes, 0, bytes.length, database);
    this.#special++;
  }

  /** The commands up to {@link endGroup} are one change. */
  beginGroup(): void {
    this.#closeSlice();
    this.#mark = {
      slices: this.#slices.length,
      bytes: this.#bytes,
      commands: this.#commands,
      special: this.#special,
      database: this.#database,
    };
  }

  /** Whether a group is open. */
  get inGroup(): boolean {
    return this.#mark !== undefined;
  }

  /** Ends the group; false when it turned out empty and is no change. */
  endGroup(): boolean {
    const mark = this.#mark!;
    this.#mark = undefined;
    const commands = this.#commands - mark.commands;
    if (commands === 0) return false;
    this.#changes++;
    if (commands > 1) this.#groups.push(mark.commands, commands);
    return true;
  }

  /** Cuts the batch: hands over the complete changes and begins anew, with the open group if there is one. */
  cut(): BuiltBatch {
    this.#closeSlice();
    const mark = this.#mark;
    const kept = mark ? this.#slices.splice(mark.slices) : [];
    const built: BuiltBatch = {
      payload: Buffer.concat(this.#slices),
      changes: this.#changes,
      commands: mark?.commands ?? this.#commands,
      special: mark?.special ?? this.#special,
      groups: this.#groups,
    };
    const rest = {
      bytes: this.#bytes - built.payload.length,
      commands: this.#commands - built.commands,
      special: this.#special - built.special,
    };
    this.#slices = [];
    this.#bytes = 0;
    this.#commands = 0;
    this.#changes = 0;
    this.#special = 0;
    this.#groups = [];
    if (mark) this.#mark = { slices: 0, bytes: 0, commands: 0, special: 0, database: NO_DATABASE };
    const database = this.#database;
    this.#database = NO_DATABASE;
    if (kept.length === 0) return built;
    // The kept commands relied on the database selected before them.
    if (mark!.database !== NO_DATABASE) this.#select(mark!.database);
    this.#slices.push(...kept);
    this.#bytes += rest.bytes;
    this.#commands += rest.commands;
    this.#special += rest.special;
    this.#database = database;
    return built;
  }

  #select(database: number): void {
    this.#closeSlice();
    const bytes = encodeCommand(['SELECT', database]);
    this.#slices.push(bytes);
    this.#bytes += bytes.length;
    this.#commands++;
    this.#database = database;
  }

  #closeSlice(): void {
    if (this.#open) this.#slices.push(this.#open.subarray(this.#openStart, this.#openEnd));
    this.#open = undefined;
  }
}
