/**
 * Gathers the commands of consecutive changes into the payload of a batch, in a buffer that is used again for every batch. Commands that
 * stand side by side in what was read are copied in one go, at the latest in {@link BatchBuilder.settle}: the buffer that they were read
 * from is overwritten then.
 */

import { encodeCommand } from '../redis-commands/encode-command.js';

/** The commands of a batch, as they are handed over. Capture adds sequence, timestamp and the rest of the header. */
export interface BuiltBatch {
  /** Stands in the builder's buffer: to be used before anything is added. */
  readonly payload: Buffer;
  readonly changes: number;
  readonly commands: number;
  readonly special: number;
  readonly groups: number[];
}

/** A place to return to: where an open transaction began. */
interface Mark {
  readonly bytes: number;
  readonly commands: number;
  readonly special: number;
  readonly database: number;
}

const NO_DATABASE = -1;
const INITIAL_BYTES = 128 * 1024;
/** A buffer that had to grow beyond this is given up after its batch. */
const MAX_KEPT_BYTES = 1024 * 1024;

export class BatchBuilder {
  #payload = Buffer.allocUnsafeSlow(INITIAL_BYTES);
  /** Bytes in {@link #payload}; what is in the open run comes on top. */
  #settled = 0;
  #bytes = 0;
  #commands = 0;
  #changes = 0;
  #special = 0;
  #groups: number[] = [];
  /** Database the payload has selected so far. */
  #database = NO_DATABASE;
  /** Commands side by side that are not copied yet. */
  #open: Buffer | undefined;
  #openStart = 0;
  #openEnd = 0;
  #mark: Mark | undefined;
  /** Whether the open group was given up: what is added to it is not kept. */
  #isDropped = false;

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
    if (this.#isDropped) return;
    if (database !== this.#database) this.#select(database);
    if (this.#open === buffer && this.#openEnd === start) {
      this.#openEnd = end;
    } else {
      this.settle();
      this.#open = buffer;
      this.#openStart = start;
      this.#openEnd = end;
    }
    this.#bytes += end - start;
    this.#commands++;
    if (!this.#mark) this.#changes++;
  }

  /** Adds a command of Tandem's own making. */
  addSpecial(buffer: Buffer, start: number, end: number, database: number): void {
    this.add(buffer, start, end, database);
    if (!this.#isDropped) this.#special++;
  }

  /** The commands up to {@link endGroup} are one change. */
  beginGroup(): void {
    this.#mark = {
      bytes: this.#bytes,
      commands: this.#commands,
      special: this.#special,
      database: this.#database,
    };
  }

  /** Whether the open group was given up. */
  get isDropped(): boolean {
    return this.#isDropped;
  }

  /** Bytes of the open group. */
  get groupBytes(): number {
    return this.#mark ? this.#bytes - this.#mark.bytes : 0;
  }

  /** Gives up the open group, with what will yet be added to it. */
  dropGroup(): void {
    const { bytes, commands, special, database } = this.#mark!;
    this.settle();
    this.#settled = bytes;
    this.#bytes = bytes;
    this.#commands = commands;
    this.#special = special;
    this.#database = database;
    this.#isDropped = true;
    if (this.#payload.length <= MAX_KEPT_BYTES) return;
    // The buffer has grown with bytes that are not sent.
    const kept = this.#payload.subarray(0, bytes);
    this.#payload = Buffer.allocUnsafeSlow(Math.max(INITIAL_BYTES, bytes * 2));
    kept.copy(this.#payload);
  }

  /** Whether a group is open. */
  get inGroup(): boolean {
    return this.#mark !== undefined;
  }

  /** Ends the group; false when it turned out empty and is no change. */
  endGroup(): boolean {
    const mark = this.#mark!;
    this.#mark = undefined;
    this.#isDropped = false;
    const commands = this.#commands - mark.commands;
    if (commands === 0) return false;
    this.#changes++;
    if (commands > 1) this.#groups.push(mark.commands, commands);
    return true;
  }

  /** Cuts the batch: hands over the complete changes and begins anew, with the open group if there is one. */
  cut(): BuiltBatch {
    this.settle();
    const mark = this.#mark;
    const length = mark?.bytes ?? this.#bytes;
    const built: BuiltBatch = {
      payload: this.#payload.subarray(0, length),
      changes: this.#changes,
      commands: mark?.commands ?? this.#commands,
      special: mark?.special ?? this.#special,
      groups: this.#groups,
    };
    const rest = {
      bytes: Buffer.from(this.#payload.subarray(length, this.#settled)),
      commands: this.#commands - built.commands,
      special: this.#special - built.special,
      database: this.#database,
    };
    this.#begin();
    if (!mark) return built;
    this.#mark = { bytes: 0, commands: 0, special: 0, database: NO_DATABASE };
    if (rest.commands === 0) return built;
    // A payload of its own: the batch handed over still stands in the old one.
    this.#payload = Buffer.allocUnsafeSlow(Math.max(INITIAL_BYTES, rest.bytes.length * 2));
    // The kept commands relied on the database selected before them.
    if (mark.database !== NO_DATABASE) this.#select(mark.database);
    this.#copy(rest.bytes, 0, rest.bytes.length);
    this.#bytes += rest.bytes.length;
    this.#commands += rest.commands;
    this.#special += rest.special;
    this.#database = rest.database;
    return built;
  }

  /** Copies what was added and still stands where it was read. */
  settle(): void {
    if (this.#open) this.#copy(this.#open, this.#openStart, this.#openEnd);
    this.#open = undefined;
  }

  #begin(): void {
    if (this.#payload.length > MAX_KEPT_BYTES) this.#payload = Buffer.allocUnsafeSlow(INITIAL_BYTES);
    this.#settled = 0;
    this.#bytes = 0;
    this.#commands = 0;
    this.#changes = 0;
    this.#special = 0;
    this.#groups = [];
    this.#database = NO_DATABASE;
  }

  #select(database: number): void {
    this.settle();
    const bytes = encodeCommand(['SELECT', database]);
    this.#copy(bytes, 0, bytes.length);
    this.#bytes += bytes.length;
    this.#commands++;
    this.#database = database;
  }

  #copy(from: Buffer, start: number, end: number): void {
    const wanted = this.#settled + end - start;
    if (wanted > this.#payload.length) {
      const grown = Buffer.allocUnsafeSlow(Math.max(wanted, this.#payload.length * 2));
      this.#payload.copy(grown, 0, 0, this.#settled);
      this.#payload = grown;
    }
    from.copy(this.#payload, this.#settled, start, end);
    this.#settled = wanted;
  }
}
