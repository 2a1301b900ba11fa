/**
 * Sends the states of keys whose values are too large to be sent in one step of a server: in parts, which stand in the order of the changes
 * as everything does, and behind them the state that names them. It is said on a connection that has watched the key since before the
 * first part, so only where the value is still what was sent of it. It is old data, as of `copy-keys.lua`.
 */

import type { Pace } from '../async/pace.js';
import { setTimeout as sleep } from 'node:timers/promises';
import { scriptSource } from '../lua/scripts.js';
import { encodeNoMoreParts } from '../protocol/messages/part.js';
import type { PlacedKey } from '../redis-commands/placed-key.js';
import { answerOf, type Redis } from '../redis/connect.js';
import { runUnlessWritten, unwatch, Watchers, watchKey } from './watchers.js';

export interface LargeCopiesOptions {
  /** Makes a client of the local server. */
  readonly open: () => Redis;
  /** Name of the key that capture takes messages from. */
  readonly out: string;
  /** Name of this site. */
  readonly site: string;
  /** Names the values of this process. */
  readonly session: string;
  /** Whether this server knows expiring fields of a hash. */
  readonly fieldsExpire: boolean;
  readonly pace: Pick<Pace, 'take'>;
  /** Whether the change list is short enough for more. */
  readonly hasRoom: () => boolean;
  /** Whether the process at work at the peer reads values in parts. */
  readonly isRead: () => Promise<boolean>;
}

/** Values of this site that are on their way at a time: the peer puts together one. */
const AT_ONCE = 1;
/** How often a value is sent in parts that is written meanwhile. */
const TRIES = 3;
/** Elements and bytes after which a part ends. */
const PART_ELEMENTS = 500;
const PART_BYTES = 256 * 1024;
/** How long an answer counts of what the peer reads. */
const READ_MS = 1000;
/** How often it is looked whether the change list has room again. */
const ROOM_MS = 5;

/** A value all of whose parts are sent. */
interface Sent {
  readonly id: string;
  readonly parts: number;
  readonly type: string;
  readonly bytes: number;
}

export class LargeCopies {
  readonly #options: LargeCopiesOptions;
  readonly #watchers: Watchers;
  #number = 0;
  #isRead = false;
  #askedAtMs = -Infinity;

  constructor(options: LargeCopiesOptions) {
    this.#options = options;
    this.#watchers = new Watchers({ open: options.open, limit: AT_ONCE });
  }

  close(): void {
    this.#watchers.close();
  }

  /** Whether the peer reads values in parts. An older one lists them as rejected, and the state that names them is no batch for it. */
  async isRead(): Promise<boolean> {
    const now = performance.now();
    if (now - this.#askedAtMs > READ_MS) {
      this.#isRead = await this.#options.isRead();
      this.#askedAtMs = now;
    }
    return this.#isRead;
  }

  /**
   * Sends a value. Gives its bytes; undefined where it is not sent, and is to be sent in one step: it is of a type that comes in no parts,
   * has fields with deadlines, or is written again and again.
   * @param rankMs its weight against another one of old data
   */
  send(key: PlacedKey, rankMs: number, signal: AbortSignal): Promise<number | undefined> {
    return this.#watchers.use(signal, async (client) => {
      for (let tries = 0; tries < TRIES && (await this.isRead()); tries++) {
        const id = `${this.#options.session}-${++this.#number}`;
        await watchKey(client, key);
        const sent = await this.#parts(client, key, id, signal);
        if (sent && (await this.isRead()) && (await this.#say(client, key, rankMs, sent))) return sent.bytes;
        await unwatch(client);
        await this.#giveUp(client, key, id);
        if (!sent) break;
      }
      return undefined;
    });
  }

  async #parts(client: Redis, key: PlacedKey, id: string, signal: AbortSignal): Promise<Sent | undefined> {
    const { out, fieldsExpire, pace, hasRoom } = this.#options;
    const source = scriptSource('copy-part');
    let [from, bytes] = [Buffer.alloc(0), 0];
    for (let part = 1; ; part++) {
      while (!hasRoom()) await sleep(ROOM_MS, undefined, { signal });
      signal.throwIfAborted();
      const limits = [PART_ELEMENTS, PART_BYTES, fieldsExpire ? 1 : 0];
      const asked = client.callBuffer(
        'EVAL',
        source,
        2,
        key.key,
        out,
        key.database,
        id,
        part,
        from,
        ...limits,
      );
      const [kind, size, next] = (await answerOf(client, asked)) as [Buffer, number, Buffer];
      const type = kind.toString('latin1');
      if (type === 'none') return undefined;
      bytes += size;
      await pace.take({ keys: 0, bytes: size }, signal);
      if (next.length === 0) return { id, parts: part, type, bytes };
      from = Buffer.from(next);
    }
  }

  /** Says that the parts are the value of the key, if it was not written since the first of them. */
  async #say(client: Redis, { database, key }: PlacedKey, rankMs: number, sent: Sent): Promise<boolean> {
    const { out, site } = this.#options;
    const { id, parts, type } = sent;
    const what = [database, site, rankMs, id, parts, type];
    const script = ['EVAL', scriptSource('say-assembled'), 2, key, out, ...what] as const;
    const replies = await runUnlessWritten(client, [['SELECT', 0], script]);
    return replies?.[1] === 1;
  }

  async #giveUp(client: Redis, key: PlacedKey, id: string): Promise<void> {
    const message = encodeNoMoreParts(key, id);
    const script = ['EVAL', scriptSource('write-message'), 1, this.#options.out, message] as const;
    await runUnlessWritten(client, [['SELECT', 0], script]);
  }
}
