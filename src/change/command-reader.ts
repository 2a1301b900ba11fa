/**
 * Reads commands (RESP arrays of bulk strings) out of a byte stream without copying an argument: a command is
 * a window on the chunk it came in. Only a command that straddles chunks is copied, once, into a buffer of its own.
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

export class CommandReader {
  /** The bytes the current command lives in. Never written again at or before {@link end}. */
  buffer: Buffer = Buffer.alloc(0);
  /** Where the current command starts in {@link buffer}. */
  start = 0;
  /** Where the current command ends (exclusive). */
  end = 0;
  /** Number of arguments of the current command, its name included. */
  argc = 0;
  /** Bytes of all commands taken so far. */
  consumed = 0;

  /** Start and end of each argument, relative to {@link start}: argument i at [2i], [2i + 1]. */
  #bounds = new Float64Array(64);
  #limit = 0;
  #owned = false;
  /** Where to go on inside a command that was cut by the end of a chunk, relative to its start. */
  #scan = 0;
  #parsed = -1;
  /** Total bytes the pending command is known to need. */
  #need = 0;

  /** Adds bytes. The chunk must not be written to afterwards. */
  push(chunk: Buffer): void {
    const remaining = this.#limit - this.end;
    if (remaining === 0) {
      this.buffer = chunk;
      this.end = 0;
      this.#limit = chunk.length;
      this.#owned = false;
      return;
    }
    if (!this.#owned || this.buffer.length - this.#limit < chunk.length) {
      const wanted = Math.max(remaining + chunk.length, this.#need, this.#owned ? remaining * 2 : 0);
      const grown = Buffer.allocUnsafeSlow(wanted);
      this.buffer.copy(grown, 0, this.end, this.#limit);
      this.buffer = grown;
      this.end = 0;
      this.#limit = remaining;
      this.#owned = true;
    }
    chunk.copy(this.buffer, this.#limit);
    this.#limit += chunk.length;
  }

  /**
   * Moves to the next whole command; false when more bytes are needed.
   * @throws TandemError STREAM_INVALID when the bytes are not commands
   */
  next(): boolean {
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
      if (count > MAX_ARGUMENTS) throw malformed('too many arguments');
      at = p + 1;
      this.argc = count;
      this.#parsed = 0;
      this.#scan = at - start;
      if (count * 2 > this.#bounds.length) this.#bounds = new Float64Array(count * 2);
    }
    const argc = this.argc;
    const bounds = this.#bounds;
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
      if (length > MAX_ARGUMENT_BYTES) throw malformed('an argument is too long');
      p++;
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

function digit(byte: number): number {
  const value = byte - ZERO;
  if (value < 0 || value > 9) throw malformed('a length is not a number');
  return value;
}

function malformed(what: string): TandemError {
  return new TandemError('STREAM_INVALID', `the bytes received are not Redis commands: ${what}`);
}
