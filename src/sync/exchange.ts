/**
 * Questions to the peer about its keys, and its answers. Both travel in the order of the changes (`protocol/messages/compare.ts`), so an
 * answer is exact for the place of its question, and comes when the link carries it: there is no other way to the peer.
 */

import { setTimeout as sleep } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { ANSWER, type Answer, parseAnswer, turned } from '../protocol/messages/answer.js';
import { COMPARE } from '../protocol/messages/compare.js';
import { encodeDigest } from '../protocol/messages/digest.js';
import { DIGESTED, parseDigested, type Digested } from '../protocol/messages/digested.js';
import type { Found } from '../protocol/messages/finding.js';
import { encodeFunctions } from '../protocol/messages/functions.js';
import {
  encodeLibraries,
  LIBRARIES,
  type LibrariesTold,
  parseLibraries,
} from '../protocol/messages/libraries.js';
import type { Shelf } from '../protocol/messages/library-parts.js';
import { encodeLibrary } from '../protocol/messages/library.js';
import { encodeList } from '../protocol/messages/list.js';
import { type Listed, parseListed } from '../protocol/messages/listed.js';
import { encodeNeed, LACK } from '../protocol/messages/state-request.js';
import { encodeTurn } from '../protocol/messages/turn.js';
import { kindsOf, type Filter } from '../config/filter.js';
import { encodeCommand } from '../redis-commands/encode-command.js';
import type { PlacedKey } from '../redis-commands/placed-key.js';
import { TandemError } from '../errors.js';
import type { PeerDumps } from '../redis/restorable.js';
import { runScript } from '../lua/scripts.js';
import type { Asking, LargeKeys } from './large-keys.js';

export interface ExchangeOptions {
  /** A client of the local server, for this alone: its scripts take their time. */
  readonly client: Redis;
  /** Name of the key that capture takes questions from. */
  readonly out: string;
  /** Name of this site. */
  readonly site: string;
  /** Names the questions of this process: answers to those of an earlier one are passed over. */
  readonly session: string;
  /** Whether this server knows expiring fields of a hash. */
  readonly fieldsExpire: boolean;
  readonly filter: Pick<Filter, 'arrives'>;
  readonly link: PeerDumps;
  readonly large: Pick<LargeKeys, 'compare'>;
}

/** The findings of one question, for the first `sizes.length` of its keys. The others were too much for one step of the server. */
export interface Compared {
  /** Bytes of each value here; 0 for keys that do not exist here, and for large ones. */
  readonly sizes: readonly number[];
  /** The keys that differ, or could not be told. */
  readonly found: readonly Found[];
  /** Keys of which one of the values is too large for one step: they are compared in parts. */
  readonly large: readonly PlacedKey[];
  /** Keys that were too much for one step of the peer's server, and those whose quick entries differ. */
  readonly left: readonly PlacedKey[];
}

interface Waiting {
  readonly resolve: (answer: Answered) => void;
  readonly reject: (error: Error) => void;
}

/** An answer that is awaited, until `end`, which the one who waits calls in any case. */
interface Awaited {
  readonly number: number;
  readonly answer: Promise<Answered>;
  /** It is not waited for any longer than so many ms from now on. */
  readonly within: (ms: number) => void;
  readonly end: () => void;
}

/** Bytes of values after which a script looks at no further key: it holds up the server. */
const STEP_BYTES = 1024 * 1024;
/** Memory that a value takes from which it is sent in parts; a string takes eight times as much. */
const LARGE_BYTES = 512 * 1024;
/** An answer that does not come for so long was lost with the history of one of the sites, or the peer is away. */
const ANSWER_MS = 120_000;

/** What `digest-keys.lua` makes quick entries for. */
const QUICK = 2;
/** Behind the name of a session: values are digested in one step, whatever their size. */
const IN_ONE_STEP = '-whole';

/** Scripts at a time: while one runs, the next one is on its way. */
const SCRIPTS = 2;

/** How often a question is asked that is lost, and after which pause. */
const MAX_TRIES = 20;
const TRY_PAUSE_MS = 100;

class LostError extends TandemError {
  constructor() {
    super('CLOSED', 'changes were lost, and with them perhaps a question to the peer');
  }
}

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
    const { session } = this.#options;
    const named = args[1]!.toString('latin1');
    if (named !== session && named !== session + IN_ONE_STEP) return;
    const answer = parsed(args);
    this.#waiting.get(answer.number)?.resolve(answer);
  }

  /** Open questions may never be answered. Each is told so, and asked again. */
  lost(): void {
    const error = new LostError();
    for (const { reject } of this.#waiting.values()) reject(error);
  }

  /** Holds keys of both sites against each other. @param isQuick whether small values are by their dumps, first of all. @throws TandemError TIMEOUT, CLOSED when it is lost again and again, or why the local server refused */
  compare(keys: readonly PlacedKey[], signal: AbortSignal, isQuick = false): Promise<Compared> {
    return this.#untilHeard(() => this.#compare(keys, signal, isQuick), signal);
  }

  async #compare(keys: readonly PlacedKey[], signal: AbortSignal, isQuick: boolean): Promise<Compared> {
    const { client, out, session, fieldsExpire, filter } = this.#options;
    const { number, answer, end } = this.#await(signal, ANSWER_MS);
    const places = keys.flatMap(({ database, key }) => [database, key]);
    const args = [
      session,
      number,
      kindsOf(keys, fieldsExpire, filter),
      STEP_BYTES,
      isQuick ? QUICK : 0,
      ...places,
    ];
    try {
      const sizes = (await this.#inTurn(() => runScript(client, 'digest-keys', [out], args))) as number[];
      const isAsked = sizes.some((size) => size >= 0);
      const all = isAsked ? ((await answer) as Answer).found : [];
      // A peer of an older version takes a quick entry for one of a type that it does not know.
      const isLeft = ({ finding }: Found): boolean =>
        finding === 'left' || (isQuick && (finding === 'type' || finding === 'value'));
      return {
        sizes: sizes.map((size) => Math.max(0, size)),
        found: all.filter((one) => one.finding !== 'large' && !isLeft(one)),
        large: [
          ...keys.filter((_, at) => sizes[at]! < 0),
          ...all.filter(({ finding }) => finding === 'large'),
        ],
        left: all.filter(isLeft),
      };
    } finally {
      end();
    }
  }

  /** The same for one key whose value is large, in parts. Gives nothing when it is equal. Errors are those of {@link compare}. */
  compareInParts(key: PlacedKey, signal: AbortSignal): Promise<Found | undefined> {
    const { session, large } = this.#options;
    const begin = (): Asking => {
      const { number, answer, within, end } = this.#await(signal);
      return {
        ask: () => this.#say(encodeDigest({ session, number, ...key })),
        answer: (withinMs) => {
          within(withinMs);
          return answer as Promise<Digested>;
        },
        end,
      };
    };
    return this.#untilHeard(() => large.compare(key, { begin, answerMs: ANSWER_MS }, signal), signal);
  }

  /** Whether the peer has these keys, and what it says of them beside. Errors are those of {@link compare}. */
  presence(keys: readonly PlacedKey[], signal: AbortSignal): Promise<readonly Found[]> {
    const { session } = this.#options;
    return this.#untilHeard(async () => {
      const { number, answer, end } = this.#await(signal, ANSWER_MS);
      try {
        const places = keys.flatMap(({ database, key }) => [database, key, '-']);
        await this.#say(encodeCommand([COMPARE, session, number, ...places]));
        return ((await answer) as Answer).found;
      } finally {
        end();
      }
    }, signal);
  }

  /**
   * The same for one key, from the peer's side: exact also if the peer writes it all the time, and this site does not. It takes one
   * step of each server, whatever the size of the value.
   */
  compareTurned(key: PlacedKey, signal: AbortSignal): Promise<readonly Found[]> {
    return this.#untilHeard(async () => {
      const session = this.#options.session + IN_ONE_STEP;
      const { number, answer, end } = this.#await(signal, ANSWER_MS);
      try {
        await this.#say(encodeTurn({ session, number, keys: [key] }));
        return turned((await answer) as Answer).found;
      } finally {
        end();
      }
    }, signal);
  }

  /** Names of some keys of the peer. @param cursor where the last answer left off; `0` at the beginning */
  list(from: { database: number; cursor: string; count: number }, signal: AbortSignal): Promise<Listed> {
    return this.#untilHeard(() => this.#list(from, signal), signal);
  }

  /** A question that was lost in a gap is asked again: one gap is often followed by more. */
  async #untilHeard<Heard>(ask: () => Promise<Heard>, signal: AbortSignal): Promise<Heard> {
    for (let tries = 1; ; tries++) {
      try {
        return await ask();
      } catch (error) {
        if (!(error instanceof LostError) || tries >= MAX_TRIES) throw error;
        await sleep(TRY_PAUSE_MS, undefined, { signal });
      }
    }
  }

  async #list(
    { database, cursor, count }: { database: number; cursor: string; count: number },
    signal: AbortSignal,
  ): Promise<Listed> {
    const { client, out, session } = this.#options;
    const { number, answer, end } = this.#await(signal, ANSWER_MS);
    try {
      await runScript(
        client,
        'write-message',
        [out],
        [encodeList({ session, number, database, cursor, count })],
      );
      return (await answer) as Listed;
    } finally {
      end();
    }
  }

  /**
   * Sends the state of keys as old data. Gives the bytes of each, as far as it came; 0 for those that do not exist, and -1 for those
   * whose values are left to be sent in parts.
   * @param absent whether keys that do not exist are removed at the peer; inParts: whether the peer reads values in parts
   */
  async send(
    keys: readonly (PlacedKey & { readonly rankMs?: number })[],
    { absent, inParts }: { absent: boolean; inParts: boolean },
  ): Promise<number[]> {
    const { client, out, site, fieldsExpire, link } = this.#options;
    const places = keys.flatMap(({ database, key, rankMs = 0 }) => [database, key, rankMs]);
    const large = inParts ? LARGE_BYTES : 0;
    const args = [
      site,
      link.peerRestores,
      fieldsExpire ? 1 : 0,
      STEP_BYTES,
      absent ? 1 : 0,
      large,
      ...places,
    ];
    return (await this.#inTurn(() => runScript(client, 'copy-keys', [out], args))) as number[];
  }

  /** Asks the peer for the state of keys as old data. It comes when the link carries it. */
  async ask(keys: readonly PlacedKey[]): Promise<void> {
    const { client, out } = this.#options;
    await runScript(client, 'write-message', [out], [encodeNeed({ timestamp: 0, lack: LACK.nothing, keys })]);
  }

  /** Which function libraries the peer has; nothing where it does not tell. Errors are those of {@link compare}. */
  async libraries(signal: AbortSignal): Promise<Shelf | undefined> {
    const { number, answer, end } = this.#await(signal, ANSWER_MS);
    try {
      await this.#say(encodeFunctions(this.#options.session, number, []));
      return ((await answer) as LibrariesTold).shelf;
    } finally {
      end();
    }
  }

  /** Asks the peer for its libraries of these names. They come when the link carries them. */
  async askLibraries(names: readonly string[]): Promise<void> {
    await this.#say(encodeFunctions(this.#options.session, ++this.#number, names));
  }

  /** Tells the peer which libraries this site has, as it has asked. */
  async tellLibraries(told: LibrariesTold): Promise<void> {
    await this.#say(encodeLibraries(told));
  }

  async sendLibrary(name: string, code: Buffer): Promise<void> {
    await this.#say(encodeLibrary(name, code));
  }

  async #say(command: Buffer): Promise<void> {
    const { client, out } = this.#options;
    await runScript(client, 'write-message', [out], [command]);
  }

  #inTurn(work: () => Promise<unknown>): Promise<unknown> {
    const done = this.#turns.shift()!.then(work);
    this.#turns.push(done.catch(() => {}));
    return done;
  }

  /** @param limitMs how long it is waited for; without it, as long as `within` says when it is called */
  #await(signal: AbortSignal, limitMs?: number): Awaited {
    const number = ++this.#number;
    let end = (): void => {};
    let within: Awaited['within'] = () => {};
    const answer = new Promise<Answered>((resolve, reject) => {
      const abort = (): void => reject(signal.reason as Error);
      const late = (): void =>
        reject(
          new TandemError('TIMEOUT', 'the peer has not answered a question about its keys', {
            hint: 'see whether both processes run and the link flows: tandem status',
          }),
        );
      let timer: NodeJS.Timeout | undefined;
      within = (ms) => (timer ??= setTimeout(late, ms));
      if (limitMs !== undefined) within(limitMs);
      end = () => {
        clearTimeout(timer);
        signal.removeEventListener('abort', abort);
        this.#waiting.delete(number);
      };
      this.#waiting.set(number, { resolve, reject });
      if (signal.aborted) abort();
      else signal.addEventListener('abort', abort, { once: true });
    });
    // It may fail before it is looked at, or never be looked at.
    answer.catch(() => {});
    return { number, answer, within, end };
  }
}

type Answered = Answer | Listed | LibrariesTold | Digested;

function parsed(args: readonly Buffer[]): Answered {
  const name = args[0]!.toString('latin1');
  if (name === ANSWER) return parseAnswer(args);
  if (name === DIGESTED) return parseDigested(args);
  return name === LIBRARIES ? parseLibraries(args) : parseListed(args);
}
