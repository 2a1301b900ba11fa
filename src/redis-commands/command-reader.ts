/**
 * Reads commands (RESP arrays of bulk strings) out of a byte stream without copying an argument: a command is
 * a window on the chunk it came in. Only a command that straddles chunks is copied, alone, into a buffer of the reader's own.
 *
 * Chunks may all lie in one and the same buffer that the socket fills again and again: when {@link CommandReader.next} has
 * said that there is no more, nothing refers to the last chunk. What was read must be copied by then by whoever keeps it.
 *
 * Format: `*<count>\r\n` then per argument `$<length>\r\n<bytes>\r\n`, as a Redis primary sends it to its replicas.
 */

import { TandemError } from '../errors.js';

const CR = 13;
const DOLLAR = 36;
const STAR = 42;
const ZERO = 48;

/** Arguments one command may have; Redis' own limit for a multi-bulk is 1024 * 1024 from clients, more inside scripts. */
const MAX_ARGUMENTS = 64 * 1024 * 1024;
/** Bytes one argument may have: `proto-max-bulk-len` cannot usefully exceed what a Node buffer holds. */
const MAX_ARGUMENT_BYTES = 2 ** 32 - 1;

/** What is carried over is this large at least, and kept for the next command that straddles unless it is larger than that. */
const MIN_CARRY_BYTES = 16 * 1024;
const MAX_KEPT_BYTES = 1024 * 1024;
/** Bytes added to a command of unknown length at a time: what is too much is read again from the chunk. */
const PROBE_BYTES = 256;

const NOTHING = Buffer.alloc(0);

export class CommandReader {
  /** The bytes the current command lives in; they stay as they are until the next {@link push}. */
  buffer: Buffer = NOTHING;
  /** Where the current command starts in {@link buffer}. */
  start = 0;
  /** Where the current command ends (exclusive). */
  end = 0;
  /** Number of arguments of the current command, its name included. */
  argc = 0;
  /** Bytes of all commands taken so far. */
  consumed = 0;

  /**
   * Start and end of each argument, relative to {@link start}: argument i at [2i], [2i + 1]. At first for four of them, as most commands
   * have at the most: V8 keeps an array of 64 bytes among its objects, and a longer one in memory of its own.
   */
  #bounds = new Float64Array(8);
  #limit = 0;
  /** Where to go on inside a command whose end has not come, relative to its start. */
  #scan = 0;
  #parsed = -1;
  /** Total bytes the pending command is known to need. */
  #need = 0;
  /** Whether {@link buffer} is one of the reader's own, with a command in it that began in an earlier chunk. */
  #carrying = false;
  /** Whether that command is whole and has been read. */
  #isCarried = false;
  /** Two, in turn: the command just read may lie in one while the next one is carried over. */
  #carries: [current: Buffer, other: Buffer] = [NOTHING, NOTHING];
  /** The chunk behind what is carried, and how much of it has been taken from there. */
  #chunk: Buffer = NOTHING;
  #taken = 0;

  /** Adds bytes. Only when {@link next} has said that there is no more: the chunk before may be gone. */
  push(chunk: Buffer): void {
    if (this.#carrying) {
      this.#chunk = chunk;
      this.#taken = 0;
      return;
    }
    this.buffer = chunk;
    this.end = 0;
    this.#limit = chunk.length;
  }

  /**
   * Moves to the next whole command; false when more bytes are needed.
   * @throws TandemError STREAM_INVALID when the bytes are not commands
   */
  next(): boolean {
    if (this.#isCarried) this.#backToChunk();
    while (!this.#parse()) {
      if (!this.#carrying) {
        this.#carryOver();
        return false;
      }
      if (!this.#takeFromChunk()) return false;
    }
    this.#isCarried = this.#carrying;
    return true;
  }

  /** Keeps the rest of the chunk, which is the beginning of a command, until more comes. */
  #carryOver(): void {
    const bytes = this.#limit - this.end;
    if (bytes === 0) return;
    const [used, spare] = this.#carries;
    const wanted = Math.max(bytes + PROBE_BYTES, this.#need);
    const carry = spare.length >= wanted ? spare : Buffer.allocUnsafeSlow(Math.max(wanted, MIN_CARRY_BYTES));
    this.#carries = [carry, used.length > MAX_KEPT_BYTES ? NOTHING : used];
    this.buffer.copy(carry, 0, this.end, this.#limit);
    this.buffer = carry;
    this.end = 0;
    this.#limit = bytes;
    this.#carrying = true;
    this.#chunk = NOTHING;
    this.#taken = 0;
  }

  /** Adds to the carried command what it needs, or a little when that is not known yet; false when the chunk is used up. */
  #takeFromChunk(): boolean {
    const left = this.#chunk.length - this.#taken;
    if (left === 0) return false;
    const missing = this.#need > this.#limit ? this.#need - this.#limit : PROBE_BYTES;
    const bytes = Math.min(left, missing);
    const wanted = Math.max(this.#need, this.#limit + bytes);
    if (this.buffer.length < wanted) {
      const grown = Buffer.allocUnsafeSlow(Math.max(wanted, this.buffer.length * 2));
      this.buffer.copy(grown, 0, 0, this.#limit);
      this.buffer = grown;
      this.#carries[0] = grown;
    }
    this.#chunk.copy(this.buffer, this.#limit, this.#taken, this.#taken + bytes);
    this.#limit += bytes;
    this.#taken += bytes;
    return true;
  }

  /** The carried command has been read; what was taken beyond its end is read where it came from. */
  #backToChunk(): void {
    const beyond = this.#limit - this.end;
    this.buffer = this.#chunk;
    this.end = this.#taken - beyond;
    this.#limit = this.#chunk.length;
    this.#carrying = false;
    this.#isCarried = false;
    this.#chunk = NOTHING;
  }

  #parse(): boolean {
    const buffer = this.buffer;
    const limit = this.#limit;
    const start = this.end;
    let at = start + this.#scan;
    if (this.#parsed < 0) {
      if (at >= limit) return false;
      if (buffer[at] !== STAR) throw malformed('a command does not start with *');
      let count = 0;
      let p = at + 1;
      for (;;) {
        if (p + 1 >= limit) return false;
        const byte = buffer[p++]!;
        if (byte === CR) break;
        count = count * 10 + digit(byte);
      }
      if (count === 0) throw malformed('a command has no name');
      if (isPadded(buffer, at + 1, p - 1)) throw malformed('a number is not in its shortest form');
      if (count > MAX_ARGUMENTS) throw malformed('too many arguments');
      at = p + 1;
      this.argc = count;
      this.#parsed = 0;
      this.#scan = at - start;
    }
    const argc = this.argc;
    let bounds = this.#bounds;
    let parsed = this.#parsed;
    while (parsed < argc) {
      if (at >= limit) return this.#starve(start, at, parsed, 0);
      if (buffer[at] !== DOLLAR) throw malformed('an argument does not start with $');
      let length = 0;
      let p = at + 1;
      for (;;) {
        if (p + 1 >= limit) return this.#starve(start, at, parsed, 0);
        const byte = buffer[p++]!;
        if (byte === CR) break;
        length = length * 10 + digit(byte);
      }
      if (isPadded(buffer, at + 1, p - 1)) throw malformed('a number is not in its shortest form');
      if (length > MAX_ARGUMENT_BYTES) throw malformed('an argument is too long');
      p++;
      // Room for what has come, not for what is announced: that may be a lie.
      if (2 * parsed >= bounds.length) bounds = this.#grow();
      const stop = p + length;
      if (stop + 2 > limit) return this.#starve(start, at, parsed, stop + 2 - start);
      bounds[2 * parsed] = p - start;
      bounds[2 * parsed + 1] = stop - start;
      parsed++;
      at = stop + 2;
    }
    this.start = start;
    this.end = at;
    this.consumed += at - start;
    this.#scan = 0;
    this.#parsed = -1;
    this.#need = 0;
    return true;
  }

  #grow(): Float64Array<ArrayBuffer> {
    const grown = new Float64Array(Math.max(this.#bounds.length * 2, 64));
    grown.set(this.#bounds);
    return (this.#bounds = grown);
  }

  /** Where argument `index` of the current command starts in {@link buffer}. */
  argumentStart(index: number): number {
    return this.start + this.#bounds[2 * index]!;
  }

  /** Where argument `index` of the current command ends (exclusive) in {@link buffer}. */
  argumentEnd(index: number): number {
    return this.start + this.#bounds[2 * index + 1]!;
  }

  /** Argument `index` as a view on {@link buffer}. */
  argument(index: number): Buffer {
    return this.buffer.subarray(this.argumentStart(index), this.argumentEnd(index));
  }

  /** All arguments of the current command, the name first, as views on {@link buffer}. */
  arguments(): Buffer[] {
    const all: Buffer[] = [];
    for (let i = 0; i < this.argc; i++) all.push(this.argument(i));
    return all;
  }

  #starve(start: number, at: number, parsed: number, need: number): boolean {
    this.#scan = at - start;
    this.#parsed = parsed;
    this.#need = need;
    return false;
  }
}

/** Whether a server would refuse this number: it has no digit, or a zero too many. Nobody may read the bytes in two ways. */
function isPadded(buffer: Buffer, start: number, end: number): boolean {
  return end === start || (buffer[start] === ZERO && end - start > 1);
}

function digit(byte: number): number {
  const value = byte - ZERO;
  if (value < 0 || value > 9) throw malformed('a length is not a number');
  return value;
}

function malformed(what: string): TandemError {
  return new TandemError('STREAM_INVALID', `the bytes received are not Redis commands: ${what}`);
}
