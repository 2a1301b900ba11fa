/**
 * Compares keys whose values are too large to be digested in one step of a server. Each site digests its own value in parts, on a
 * connection that watches the key, and what it has found counts only if nobody has written the key from the first part to the end.
 *
 * The asking site asks behind its `WATCH`, and looks at the watch once more when it has the answer. So its key is not written from before the
 * question until behind the answer: the answering site has seen all its writes of the key, and it all those of the answering site.
 * A finding is exact then, and no key counts as busy but one that was written.
 */

import type { Pace } from '../async/pace.js';
import type { Filter } from '../config/filter.js';
import type { DigestQuestion } from '../protocol/messages/digest.js';
import { encodeDigested, LEFT_OUT, WRITTEN, type Digested } from '../protocol/messages/digested.js';
import type { Found } from '../protocol/messages/finding.js';
import type { PlacedKey } from '../redis-commands/placed-key.js';
import { answerOf, type Redis } from '../redis/connect.js';
import { scriptSource } from '../lua/scripts.js';
import { digestInParts, type InParts } from './digest-in-parts.js';
import { findingOf, isFieldEnding } from './entry-finding.js';
import { runUnlessWritten, unwatch, Watchers, watchKey } from './watchers.js';

export interface LargeKeysOptions {
  /** Makes a client of the local server. */
  readonly open: () => Redis;
  /** Name of the key that capture takes messages from. */
  readonly out: string;
  readonly databases: number;
  /** Whether this server knows expiring fields of a hash. */
  readonly fieldsExpire: boolean;
  readonly filter: Pick<Filter, 'arrives' | 'key'>;
  readonly pace: Pick<Pace, 'take'>;
}

/** A question to the peer, to be put when its key is watched. */
export interface Asking {
  /** Puts it. */
  readonly ask: () => Promise<void>;
  /** The answer, if it comes within so many milliseconds from now on. */
  readonly answer: (withinMs: number) => Promise<Digested>;
  readonly end: () => void;
}

/** Keys that are digested at a time for this site, and for the peer. */
const AT_ONCE = 4;
/** How often a key that is written meanwhile is digested for one question of the peer's. */
const TRIES = 2;
/** The peer's digest may take so many times longer than this site's own. */
const TIMES_OWN = 4;
/** Questions of the peer's that wait. A process asks {@link AT_ONCE} at a time. */
const MAX_WAITING = 64;

export class LargeKeys {
  readonly #options: LargeKeysOptions;
  /** Apart from each other: whoever asks waits for one who answers. */
  readonly #asking: Watchers;
  readonly #answering: Watchers;
  readonly #ended = new AbortController();
  #waiting = 0;

  constructor(options: LargeKeysOptions) {
    const { open } = options;
    this.#options = options;
    this.#asking = new Watchers({ open, limit: AT_ONCE });
    this.#answering = new Watchers({ open, limit: AT_ONCE });
  }

  close(): void {
    this.#ended.abort();
    this.#asking.close();
    this.#answering.close();
  }

  /**
   * Holds a key against the peer's. Gives nothing when they are equal.
   * @param begin makes the question, which is put when the key is watched
   * @param answerMs how long the peer may take beside what its digest takes
   */
  compare(
    key: PlacedKey,
    { begin, answerMs }: { begin: () => Asking; answerMs: number },
    signal: AbortSignal,
  ): Promise<Found | undefined> {
    return this.#asking.use(signal, async (client) => {
      await watchKey(client, key);
      const { ask, answer, end } = begin();
      try {
        const beganAt = performance.now();
        await ask();
        const own = await this.#digest(client, key, signal);
        const theirs = await answer(answerMs + TIMES_OWN * (performance.now() - beganAt));
        const replies = await runUnlessWritten(client, [['TIME']]);
        return this.#found(key, { own: replies && own, theirs, nowMs: msOf(replies?.[0]) });
      } finally {
        end();
      }
    });
  }

  /** Answers the peer's question. A key that it may not see, or that is written again and again, is answered as such. */
  async answer(question: DigestQuestion): Promise<void> {
    if (this.#waiting >= MAX_WAITING) return;
    this.#waiting++;
    try {
      await this.#answering.use(this.#ended.signal, (client) => this.#answer(client, question));
    } finally {
      this.#waiting--;
    }
  }

  async #answer(client: Redis, question: DigestQuestion): Promise<void> {
    const { databases, filter } = this.#options;
    const { database, key } = question;
    if (!filter.key(database, key)) return void (await this.#say(client, question, LEFT_OUT, 0));
    if (database >= databases) return void (await this.#say(client, question, '-', 0));
    for (let tries = 0; tries < TRIES; tries++) {
      await watchKey(client, question);
      const own = await this.#digest(client, question, this.#ended.signal);
      if (!own) continue;
      const { entry, bytes, fieldEndsMs } = own;
      const mark = isFieldEnding(fieldEndsMs, msOf(await answerOf(client, client.time()))) ? '!' : '';
      if (await this.#say(client, question, entry + mark, bytes)) return;
    }
    await unwatch(client);
    await this.#say(client, question, WRITTEN, 0);
  }

  /** Writes the answer if the key is as it was digested, in one step. */
  async #say(client: Redis, question: DigestQuestion, entry: string, bytes: number): Promise<boolean> {
    const message = encodeDigested(question, entry, bytes);
    const script = ['EVAL', scriptSource('write-message'), 1, this.#options.out, message] as const;
    return (await runUnlessWritten(client, [['SELECT', 0], script])) !== undefined;
  }

  #digest(client: Redis, { key }: PlacedKey, signal: AbortSignal): Promise<InParts | undefined> {
    const { fieldsExpire, filter, pace } = this.#options;
    const onPart = (bytes: number): Promise<void> => {
      signal.throwIfAborted();
      return pace.take({ keys: 0, bytes }, signal);
    };
    return digestInParts(client, key, { fieldsExpire, arrives: filter.arrives(key), onPart });
  }

  #found(
    key: PlacedKey,
    { own, theirs, nowMs }: { own: InParts | undefined; theirs: Digested; nowMs: number },
  ): Found | undefined {
    const { bytes, isNewThere, claim, cut } = theirs;
    const about = { database: key.database, key: key.key, bytes, isNewThere, claim, cut };
    if (theirs.entry === LEFT_OUT) return { ...about, finding: 'excluded' };
    if (!own || theirs.entry === WRITTEN) return { ...about, finding: 'busy' };
    const entry = own.entry + (isFieldEnding(own.fieldEndsMs, nowMs) ? '!' : '');
    const arrives = this.#options.filter.arrives(key.key);
    const finding = findingOf({ theirs: theirs.entry, own: entry, nowMs, arrives });
    return finding === 'equal' ? undefined : { ...about, finding };
  }
}

/** @param reply of `TIME` */
function msOf(reply: unknown): number {
  const [seconds = 0, micros = 0] = (reply as (string | number)[] | undefined)?.map(Number) ?? [];
  return seconds * 1000 + Math.floor(micros / 1000);
}
