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

/** What an `EXEC` gave: `aborted` when a watched key had changed, else how many replies and which of them were errors. */
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
  | ({
      readonly kind: 'exec';
      /** Elements of the reply; undefined until it has begun. */
      length: number | undefined;
      /** Elements passed over. */
      index: number;
      /** Replies left inside the element that is being passed over. */
      nested: number;
      /** Bytes left of the text that is being passed over. */
      skip: number;
      readonly errors: PlacedError[];
    } & Settle<ExecReply | ErrorReply>);

const PLUS = 43;
const MINUS = 45;
const COLON = 58;
const DOLLAR = 36;
const STAR = 42;
const CR = 13;
const NEWLINE = 10;
const LETTER_Q = 81;

const NOTHING = Buffer.alloc(0);

/** Thrown inside the parser when the bytes end early; never leaves this file. */
const INCOMPLETE = Symbol('incomplete');

export class ReplyReader {
  #buffer: Buffer = NOTHING;
  #at = 0;
  /** Where the text of the line just read begins and ends, behind its type. */
  #textStart = 0;
  #textEnd = 0;
  #expected: Expectation[] = [];
  #head = 0;
  /** Whether a stream of commands, not of replies, begins after the last reply expected. */
  #streamFollows = false;

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
    const begun = { length: undefined, index: 0, nested: 0, skip: 0 };
    return new Promise((resolve, reject) =>
      this.#expected.push({ kind: 'exec', ...begun, errors: [], resolve, reject }),
    );
  }

  /** Whether somebody waits for a reply. */
  get isAwaited(): boolean {
    return this.#head < this.#expected.length;
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
    this.#buffer =
      this.#at < this.#buffer.length ? Buffer.concat([this.#buffer.subarray(this.#at), chunk]) : chunk;
    this.#at = 0;
    this.#readAll();
    // The chunk will be written over: what is left of it is copied.
    this.#buffer = this.#at < this.#buffer.length ? Buffer.from(this.#buffer.subarray(this.#at)) : NOTHING;
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
    const rest = this.#buffer;
    this.#buffer = NOTHING;
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
      // `+QUEUED\r\n` is 9 bytes; anything else takes the careful way.
      if (
        at + 9 <= buffer.length &&
        buffer[at] === PLUS &&
        buffer[at + 1] === LETTER_Q &&
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

  /** Goes on where the bytes ended last: what was passed over is not looked at, or kept, again. */
  #exec(reply: Expectation & { kind: 'exec' }): boolean {
    if (reply.length === undefined) {
      const type = this.#line();
      if (type !== MINUS && type !== STAR) throw unexpected('EXEC');
      const length = type === STAR ? this.#number() : 0;
      if (type === MINUS || length < 0) {
        reply.resolve(
          type === MINUS ? new ErrorReply(this.#text()) : { aborted: true, length: 0, errors: [] },
        );
        return true;
      }
      reply.length = length;
    }
    const buffer = this.#buffer;
    while (reply.index < reply.length || reply.nested > 0 || reply.skip > 0) {
      const at = this.#at;
      // `+OK\r\n` is 5 bytes and by far the commonest element.
      const isOk = at + 5 <= buffer.length && buffer[at] === PLUS && buffer[at + 3] === CR;
      if (isOk && reply.nested === 0 && reply.skip === 0) {
        this.#at = at + 5;
        reply.index++;
      } else if (!this.#passOver(reply)) return false;
    }
    reply.resolve({ aborted: false, length: reply.length, errors: reply.errors });
    return true;
  }

  /** Passes over the rest of a text, or over the next reply of any depth up to its text; false when the bytes end before. */
  #passOver(reply: Expectation & { kind: 'exec' }): boolean {
    if (reply.skip > 0) {
      const bytes = Math.min(reply.skip, this.#buffer.length - this.#at);
      this.#at += bytes;
      reply.skip -= bytes;
      return reply.skip === 0;
    }
    const stop = this.#buffer.indexOf('\r\n', this.#at, 'latin1');
    if (stop < 0) return false;
    const type = this.#line();
    const isTop = reply.nested === 0;
    if (type === MINUS) {
      if (isTop) reply.errors.push({ index: reply.index, error: new ErrorReply(this.#text()) });
    } else if (type === DOLLAR) {
      const length = this.#number();
      if (length >= 0) reply.skip = length + 2;
    } else if (type === STAR) reply.nested += Math.max(0, this.#number());
    else if (type !== PLUS && type !== COLON) throw unexpected('a command');
    if (isTop) reply.index++;
    else reply.nested--;
    return true;
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
    if (start + length > this.#buffer.length) throw INCOMPLETE;
    this.#at = start + length;
    return start;
  }
}

function unexpected(what: string): TandemError {
  return new TandemError('INTERNAL', `the reply to ${what} has an unknown form`);
}
