/**
 * Reads replies (RESP2) from a byte stream with as little work as their reader asks for: a run of `+QUEUED` is only counted,
 * the reply of an `EXEC` is only searched for errors. Replies come in the order in which they were expected.
 * Source: https://redis.io/docs/latest/develop/reference/protocol-spec/
 */

import { TandemError } from '../errors.js';

/** An error reply, as the server worded it (`WRONGTYPE Operation against …`). */
export class ErrorReply {
  readonly message: string;

  constructor(message: string) {
    this.message = message;
  }

  /** The first word: `WRONGTYPE`, `OOM`, `NOPERM` … */
  get code(): string {
    return this.message.split(' ', 1)[0]!;
  }
}

export type Reply = string | number | null | Buffer | ErrorReply | Reply[];

/** An error among many replies, with its place. */
export interface PlacedError {
  readonly index: number;
  readonly error: ErrorReply;
}

/** The result of an `EXEC`: `aborted` when a watched key had changed, else how many replies and which of them were errors. */
export type ExecReply = {
  readonly aborted: boolean;
  readonly length: number;
  readonly errors: readonly PlacedError[];
};

interface Settle<T> {
  readonly resolve: (reply: T) => void;
  readonly reject: (error: Error) => void;
}

type Expectation =
  | ({ readonly kind: 'value' } & Settle<Reply>)
  | ({
      readonly kind: 'statuses';
      left: number;
      readonly total: number;
      readonly errors: PlacedError[];
    } & Settle<readonly PlacedError[]>)
  | ({ readonly kind: 'exec'; total: number; done: number; readonly errors: PlacedError[] } & Settle<
      ExecReply | ErrorReply
    >);

const PLUS = 43;
const MINUS = 45;
const COLON = 58;
const DOLLAR = 36;
const STAR = 42;
const CR = 13;
const NEWLINE = 10;
const LETTER_U = 85;

const NOTHING = Buffer.alloc(0);
/** A reply that is not complete gets this much memory at least. */
const MIN_CARRY_BYTES = 4096;

/** Thrown inside the parser when the bytes end early; never leaves this file. */
const INCOMPLETE = Symbol('incomplete');

export class ReplyReader {
  /** The chunk at hand, or what {@link #carry} holds. Read up to {@link #at}. */
  #buffer: Buffer = NOTHING;
  #at = 0;
  /** Where bytes wait for the rest of their reply; larger than what it holds, so that a long reply is not copied with each chunk. */
  #carry: Buffer = NOTHING;
  /** Where in {@link #buffer} the value ends that could not be read: until then there is no use in trying again. */
  #neededEnd = 0;
  /** Where the text of the line just read begins and ends, behind its type. */
  #textStart = 0;
  #textEnd = 0;
  #expected: Expectation[] = [];
  #head = 0;
  /** Whether a stream of commands, not of replies, begins after the last reply expected. */
  #streamFollows = false;

  /** Whether a reply is awaited. */
  get isAwaited(): boolean {
    return this.#head < this.#expected.length;
  }

  /** The next reply, whole. */
  value(): Promise<Reply> {
    return new Promise((resolve, reject) => this.#expected.push({ kind: 'value', resolve, reject }));
  }

  /** The last reply on this connection: a stream follows it. Newlines ahead of it, which a busy primary sends, are passed over. */
  lastValue(): Promise<Reply> {
    this.#streamFollows = true;
    return this.value();
  }

  /** The errors among the next `total` replies, each of which is a status (`+QUEUED` as a rule) or an error. */
  statuses(total: number): Promise<readonly PlacedError[]> {
    if (total === 0) return Promise.resolve([]);
    return new Promise((resolve, reject) =>
      this.#expected.push({ kind: 'statuses', left: total, total, errors: [], resolve, reject }),
    );
  }

  /** The next reply, that of an `EXEC`: of its elements only the errors are kept. */
  exec(): Promise<ExecReply | ErrorReply> {
    return new Promise((resolve, reject) =>
      this.#expected.push({ kind: 'exec', total: -1, done: 0, errors: [], resolve, reject }),
    );
  }

  /** No reply will come any more. */
  fail(error: Error): void {
    const waiting = this.#expected.slice(this.#head);
    this.#expected = [];
    this.#head = 0;
    for (const expectation of waiting) expectation.reject(error);
  }

  /**
   * Takes bytes and hands over the replies they complete; nothing refers to the bytes afterwards.
   * @throws TandemError INTERNAL on bytes that are no reply
   */
  push(chunk: Buffer): void {
    if (this.#buffer.length === 0) this.#buffer = chunk;
    else this.#carryOver(chunk);
    if (this.#buffer.length < this.#neededEnd) {
      if (this.#buffer === chunk) this.#carryOver(NOTHING);
      return;
    }
    this.#neededEnd = 0;
    this.#readAll();
    if (this.#at === this.#buffer.length) this.#forget();
    // The chunk will be written over: what is left of it is copied.
    else if (this.#buffer === chunk) this.#carryOver(NOTHING);
  }

  /** The rest of the buffer, and the chunk behind it, in memory of the reader's own. */
  #carryOver(chunk: Buffer): void {
    const { length } = this.#buffer;
    const isCarried = this.#buffer.buffer === this.#carry.buffer;
    if (!isCarried || this.#carry.length - length < chunk.length) {
      const rest = this.#buffer.subarray(this.#at);
      const wanted = Math.max(rest.length + chunk.length, this.#neededEnd - this.#at);
      const grown = Buffer.allocUnsafeSlow(Math.max(wanted, rest.length * 2, MIN_CARRY_BYTES));
      rest.copy(grown);
      this.#carry = grown;
      this.#neededEnd -= Math.min(this.#at, this.#neededEnd);
      this.#at = 0;
      chunk.copy(grown, rest.length);
      this.#buffer = grown.subarray(0, rest.length + chunk.length);
      return;
    }
    chunk.copy(this.#carry, length);
    this.#buffer = this.#carry.subarray(0, length + chunk.length);
  }

  #forget(): void {
    this.#buffer = NOTHING;
    this.#carry = NOTHING;
    this.#at = 0;
  }

  #readAll(): void {
    while (this.#head < this.#expected.length) {
      const expectation = this.#expected[this.#head]!;
      if (this.#streamFollows) while (this.#buffer[this.#at] === NEWLINE) this.#at++;
      const before = this.#at;
      try {
        if (!this.#read(expectation)) return;
      } catch (error) {
        if (error !== INCOMPLETE) throw error;
        this.#at = before;
        return;
      }
      if (++this.#head > 1024) {
        this.#expected = this.#expected.slice(this.#head);
        this.#head = 0;
      }
    }
    if (this.#at < this.#buffer.length && !this.#streamFollows)
      throw new TandemError('INTERNAL', 'the server sent a reply that was not asked for');
  }

  /** Bytes received beyond the last reply: what is left when a connection turns into a stream. */
  takeRest(): Buffer {
    const rest = Buffer.from(this.#buffer.subarray(this.#at));
    this.#forget();
    return rest;
  }

  #read(expectation: Expectation): boolean {
    switch (expectation.kind) {
      case 'value':
        expectation.resolve(this.#value());
        return true;
      case 'statuses':
        return this.#statuses(expectation);
      case 'exec':
        return this.#exec(expectation);
    }
  }

  #statuses(expectation: Expectation & { kind: 'statuses' }): boolean {
    const buffer = this.#buffer;
    while (expectation.left > 0) {
      const at = this.#at;
      // `+QUEUED\r\n` is 9 bytes; anything else takes the careful way. No two shorter lines have these bytes at these places.
      if (
        at + 9 <= buffer.length &&
        buffer[at] === PLUS &&
        buffer[at + 4] === LETTER_U &&
        buffer[at + 7] === CR
      ) {
        this.#at = at + 9;
      } else {
        let reply: Reply;
        try {
          reply = this.#value();
        } catch (error) {
          if (error !== INCOMPLETE) throw error;
          this.#at = at;
          return false;
        }
        if (reply instanceof ErrorReply)
          expectation.errors.push({ index: expectation.total - expectation.left, error: reply });
      }
      expectation.left--;
    }
    expectation.resolve(expectation.errors);
    return true;
  }

  #exec(expectation: Expectation & { kind: 'exec' }): boolean {
    const { errors, resolve } = expectation;
    if (expectation.total < 0) {
      const type = this.#line();
      if (type !== MINUS && type !== STAR) throw unexpected('EXEC');
      const length = type === MINUS ? -1 : this.#number();
      if (length < 0) {
        resolve(type === MINUS ? new ErrorReply(this.#text()) : { aborted: true, length: 0, errors });
        return true;
      }
      expectation.total = length;
    }
    const buffer = this.#buffer;
    for (; expectation.done < expectation.total; expectation.done++) {
      const at = this.#at;
      // `+OK\r\n` is 5 bytes and by far the commonest element.
      if (at + 5 <= buffer.length && buffer[at] === PLUS && buffer[at + 3] === CR) {
        this.#at = at + 5;
        continue;
      }
      try {
        const error = this.#skip();
        if (error) errors.push({ index: expectation.done, error });
      } catch (error) {
        if (error !== INCOMPLETE) throw error;
        this.#at = at;
        return false;
      }
    }
    resolve({ aborted: false, length: expectation.total, errors });
    return true;
  }

  /** Passes over one reply of any depth; an error at its top is handed back. */
  #skip(): ErrorReply | undefined {
    switch (this.#line()) {
      case PLUS:
      case COLON:
        return undefined;
      case MINUS:
        return new ErrorReply(this.#text());
      case DOLLAR: {
        const length = this.#number();
        if (length >= 0) this.#take(length + 2);
        return undefined;
      }
      case STAR: {
        for (let left = this.#number(); left > 0; left--) this.#skip();
        return undefined;
      }
      default:
        throw unexpected('a command');
    }
  }

  #value(): Reply {
    switch (this.#line()) {
      case PLUS:
        return this.#text();
      case MINUS:
        return new ErrorReply(this.#text());
      case COLON:
        return this.#number();
      case DOLLAR: {
        const length = this.#number();
        if (length < 0) return null;
        const start = this.#take(length + 2);
        return Buffer.from(this.#buffer.subarray(start, start + length));
      }
      case STAR: {
        const length = this.#number();
        if (length < 0) return null;
        const values: Reply[] = [];
        for (let i = 0; i < length; i++) values.push(this.#value());
        return values;
      }
      default:
        throw unexpected('a command');
    }
  }

  /** Passes over one line and gives its type. */
  #line(): number {
    const buffer = this.#buffer;
    const start = this.#at;
    const stop = buffer.indexOf('\r\n', start, 'latin1');
    if (stop < 0) throw INCOMPLETE;
    this.#at = stop + 2;
    this.#textStart = start + 1;
    this.#textEnd = stop;
    return buffer[start]!;
  }

  #text(): string {
    return this.#buffer.toString('utf8', this.#textStart, this.#textEnd);
  }

  #number(): number {
    return Number(this.#buffer.toString('latin1', this.#textStart, this.#textEnd));
  }

  /** Passes over `length` bytes and gives the place where they start. */
  #take(length: number): number {
    const start = this.#at;
    if (start + length > this.#buffer.length) {
      this.#neededEnd = start + length;
      throw INCOMPLETE;
    }
    this.#at = start + length;
    return start;
  }
}

function unexpected(what: string): TandemError {
  return new TandemError('INTERNAL', `the reply to ${what} has an unknown form`);
}
