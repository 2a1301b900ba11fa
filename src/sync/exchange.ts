/**
 * Questions to the peer about its keys, and its answers. Both travel in the order of the changes (`change/comparison.ts`), so an
 * answer is exact for the place of its question, and comes when the link carries it: there is no other way to the peer.
 */

import type { Redis } from 'ioredis';
import {
  ANSWER,
  encodeList,
  parseAnswer,
  parseListed,
  type Answer,
  type Found,
  type Listed,
} from '../change/comparison.js';
import { encodeNeed, LACK, type PlacedKey } from '../change/special.js';
import { TandemError } from '../errors.js';
import { runScript } from '../lua/scripts.js';

export interface ExchangeOptions {
  /** A client of the local server, for this alone: its scripts take their time. */
  readonly client: Redis;
  /** Name of the key that capture takes questions from. */
  readonly out: string;
  /** Name of this site. */
  readonly site: string;
  /** Names the questions of this process: an answer to those of an earlier one is nobody's. */
  readonly session: string;
  /** Whether this server knows expiring fields of a hash. */
  readonly fieldsExpire: boolean;
}

/** What one question has found, of the first `sizes.length` of its keys: the rest was too much for one step of the server. */
export interface Compared {
  /** Bytes of each value here; 0 for keys that do not exist here. */
  readonly sizes: readonly number[];
  /** The keys that differ, or could not be told. */
  readonly found: readonly Found[];
}

interface Waiting {
  readonly resolve: (answer: Answer | Listed) => void;
  readonly reject: (error: Error) => void;
}

/** Bytes of values after which a script looks at no further key: it holds up the server. */
const STEP_BYTES = 1024 * 1024;
/** An answer that does not come for so long was lost with the history of one of the sites, or the peer is away. */
const ANSWER_MS = 120_000;

/** Scripts at a time: while one runs, the next one is on its way. */
const SCRIPTS = 2;

export class Exchange {
  readonly #options: ExchangeOptions;
  readonly #waiting = new Map<number, Waiting>();
  #number = 0;
  /** The scripts on their way: few at a time, so that the server gets to its other clients between them. */
  readonly #turns: Promise<unknown>[] = Array.from({ length: SCRIPTS }, () => Promise.resolve());

  constructor(options: ExchangeOptions) {
    this.#options = options;
  }

  /** An answer has come. @param args well-formed, the name first */
  take(args: readonly Buffer[]): void {
    const answer = args[0]!.toString('latin1') === ANSWER ? parseAnswer(args) : parseListed(args);
    if (answer.session === this.#options.session) this.#waiting.get(answer.number)?.resolve(answer);
  }

  /** What is asked now may never be answered: whoever waits is told, and asks again. */
  lost(): void {
    const error = new TandemError(
      'CLOSED',
      'changes were lost, and with them perhaps a question to the peer',
    );
    for (const { reject } of this.#waiting.values()) reject(error);
  }

  /** Holds keys of both sites against each other. @throws TandemError TIMEOUT, CLOSED when it may be lost, or why the local server refused */
  async compare(keys: readonly PlacedKey[], signal: AbortSignal): Promise<Compared> {
    const { client, out, session, fieldsExpire } = this.#options;
    const number = ++this.#number;
    const answer = this.#answer(number, signal);
    answer.catch(() => {});
    const places = keys.flatMap(({ database, key }) => [database, key]);
    const args = [session, number, fieldsExpire ? 1 : 0, STEP_BYTES, ...places];
    try {
      const sizes = (await this.#inTurn(() => runScript(client, 'digest', [out], args))) as number[];
      return { sizes, found: ((await answer) as Answer).found };
    } finally {
      this.#waiting.delete(number);
    }
  }

  /** Names of some keys of the peer. @param cursor where the last answer left off; `0` at the beginning */
  async list(
    { database, cursor, count }: { database: number; cursor: string; count: number },
    signal: AbortSignal,
  ): Promise<Listed> {
    const { client, out, session } = this.#options;
    const number = ++this.#number;
    const answer = this.#answer(number, signal);
    answer.catch(() => {});
    try {
      await runScript(client, 'say', [out], [encodeList({ session, number, database, cursor, count })]);
      return (await answer) as Listed;
    } finally {
      this.#waiting.delete(number);
    }
  }

  /**
   * Sends the state of keys as old data. Gives the bytes of each, as far as it came; 0 for those that do not exist.
   * @param absent whether keys that do not exist are removed at the peer
   */
  async send(keys: readonly PlacedKey[], { absent }: { absent: boolean }): Promise<number[]> {
    const { client, out, site } = this.#options;
    const places = keys.flatMap(({ database, key }) => [database, key]);
    const args = [site, STEP_BYTES, absent ? 1 : 0, ...places];
    return (await this.#inTurn(() => runScript(client, 'copy', [out], args))) as number[];
  }

  /** Asks the peer for the state of keys as old data. It comes when the link carries it. */
  async ask(keys: readonly PlacedKey[]): Promise<void> {
    const { client, out } = this.#options;
    await runScript(client, 'say', [out], [encodeNeed({ timestamp: 0, lack: LACK.nothing, keys })]);
  }

  #inTurn(work: () => Promise<unknown>): Promise<unknown> {
    const done = this.#turns.shift()!.then(work);
    this.#turns.push(done.catch(() => {}));
    return done;
  }

  #answer(number: number, signal: AbortSignal): Promise<Answer | Listed> {
    return new Promise((resolve, reject) => {
      const end = (): void => {
        clearTimeout(timer);
        signal.removeEventListener('abort', abort);
      };
      const fail = (error: Error): void => {
        end();
        reject(error);
      };
      const abort = (): void => fail(signal.reason as Error);
      const timer = setTimeout(
        () =>
          fail(
            new TandemError('TIMEOUT', 'the peer has not answered a question about its keys', {
              hint: 'see whether both processes run and the link flows: tandem status',
            }),
          ),
        ANSWER_MS,
      );
      this.#waiting.set(number, {
        reject: fail,
        resolve: (answer) => {
          end();
          resolve(answer);
        },
      });
      if (signal.aborted) abort();
      else signal.addEventListener('abort', abort, { once: true });
    });
  }
}
