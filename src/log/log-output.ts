/**
 * Where the log goes. Lines are written at once, so that the last one before an end is not lost; but no line is worth the work: one
 * that cannot be written, because the disk is full, the reader is gone, or does not read, is dropped and counted.
 */

import { closeSync, constants, fstatSync, openSync, writeSync } from 'node:fs';

/** A reader that does not keep up is waited for so long at a line, and not at all at the lines behind it, until it reads again. */
const READER_MS = 50;
const RETRY_MS = 1;

export class LogOutput {
  readonly #fd: number;
  readonly #isOwn: boolean;
  /** Told how many lines were dropped, behind the first one that could be written again. */
  readonly #onBack: (lines: number) => void;
  #dropped = 0;
  #total = 0;
  /** The end of a line whose beginning is written. */
  #rest: Buffer = Buffer.alloc(0);

  constructor(fd: number, onBack: (lines: number) => void) {
    const reopened = reopenPipe(fd);
    this.#fd = reopened ?? fd;
    this.#isOwn = reopened !== undefined;
    this.#onBack = onBack;
  }

  /** Lines that were dropped so far. */
  get dropped(): number {
    return this.#total;
  }

  /** Never throws. */
  write(line: string): void {
    const isLate = this.#dropped > 0;
    if (!this.#put(Buffer.concat([this.#rest, Buffer.from(line)]), this.#rest.length, isLate)) {
      this.#dropped++;
      this.#total++;
      return;
    }
    if (!isLate) return;
    const lines = this.#dropped;
    this.#dropped = 0;
    this.#onBack(lines);
  }

  close(): void {
    if (this.#isOwn) closeSync(this.#fd);
  }

  /** @param owed bytes at the beginning that belong to a line before */
  #put(bytes: Buffer, owed: number, isLate: boolean): boolean {
    const end = performance.now() + (isLate ? 0 : READER_MS);
    let at = 0;
    while (at < bytes.length) {
      try {
        at += writeSync(this.#fd, bytes, at);
      } catch (error) {
        const isFull = (error as NodeJS.ErrnoException).code === 'EAGAIN';
        if (isFull && performance.now() < end) {
          pause(RETRY_MS);
          continue;
        }
        // A line is begun: its end goes first next time, so that the lines stay whole. One that is not begun is dropped.
        this.#rest = at > owed ? bytes.subarray(at) : bytes.subarray(at, Math.max(at, owed));
        return at > owed;
      }
    }
    this.#rest = Buffer.alloc(0);
    return true;
  }
}

/**
 * The same pipe, opened in a way that a reader who does not read holds up nobody. Whoever else has the pipe is not concerned.
 * Nothing: it is no pipe, or cannot be opened again.
 */
function reopenPipe(fd: number): number | undefined {
  try {
    if (!fstatSync(fd).isFIFO()) return undefined;
    return openSync(`/proc/self/fd/${fd}`, constants.O_WRONLY | constants.O_NONBLOCK);
  } catch {
    return undefined;
  }
}

/** Without giving others a turn: a log line is written where it is made. */
function pause(milliseconds: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds);
}
