/** Looks at the local keys that a plan rests on, on the connection that its transaction takes. */

import { LinkedAbort } from '../async/linked-abort.js';
import { NOTHING, OTHER, type Held } from '../conflicts/rules/rule-context.js';
import { encodeCommand } from '../redis-commands/encode-command.js';
import { scriptSource } from '../lua/scripts.js';
import type { Assembled } from '../protocol/messages/part.js';
import type { PlacedKey } from '../redis-commands/placed-key.js';
import type { KeyNames } from '../redis/keys.js';
import type { RawConnection } from '../redis/raw-connection.js';
import { ErrorReply } from '../redis/reply-reader.js';
import type { Barriers } from './barriers.js';

export interface LooksOptions {
  readonly connection: RawConnection;
  readonly keys: KeyNames;
  readonly barriers: Pick<Barriers, 'wait'>;
}

export class Looks {
  readonly #options: LooksOptions;
  #barriers = 0;

  constructor(options: LooksOptions) {
    this.#options = options;
  }

  /**
   * Watches keys and reads the lengths of lists. Waits until capture knows all that was written to them before: a barrier written behind
   * the `WATCH` has come round in the stream. If one of them is written after that, the transaction fails and is decided anew. Undefined
   * where the server refuses the barrier (it is out of memory, or takes no writes): it will refuse the transaction as well.
   */
  async at(watched: readonly PlacedKey[], signal: AbortSignal): Promise<Held[] | undefined> {
    const { connection, keys, barriers } = this.#options;
    const { replies } = connection;
    const text = String(++this.#barriers);
    const over = new LinkedAbort(signal);
    const passed = barriers.wait(text, over.signal);
    passed.catch(() => {});
    const statuses = replies.statuses(watched.length * 2 + 2);
    const watches = watched.flatMap(({ database, key }) => [
      encodeCommand(['SELECT', database]),
      encodeCommand(['WATCH', key]),
    ]);
    connection.write([...watches, SELECT_0, encodeCommand(['SET', keys.barrier, text])]);
    const lengths = watched.map(({ database, key }) => {
      const selected = replies.statuses(1);
      const length = replies.value();
      connection.write([encodeCommand(['SELECT', database]), encodeCommand(['LLEN', key])]);
      return Promise.all([selected, length]);
    });
    const home = replies.statuses(1);
    connection.write([SELECT_0]);
    try {
      const [refused, found] = await Promise.all([statuses, Promise.all(lengths), home]);
      if (refused.length > 0) return undefined;
      await passed;
      return found.map(([, length]): Held => {
        // The length of what is no list is refused.
        if (typeof length !== 'number') return OTHER;
        return length === 0 ? NOTHING : { kind: 'list', length };
      });
    } finally {
      over.abort();
    }
  }

  /** Watches the value that is being put together from parts, and tells which it is. Nothing may be on the way that adds to it. */
  async assembled(): Promise<Assembled | undefined> {
    const { connection, keys } = this.#options;
    const names = [keys.assembly, keys.assembled];
    const watched = connection.replyTo('WATCH', ...names);
    const script = ['EVAL', scriptSource('look-at-assembly'), names.length, ...names, LEAST_MS] as const;
    const [refused, reply] = await Promise.all([watched, connection.replyTo(...script)]);
    if (refused instanceof ErrorReply || !Array.isArray(reply)) return undefined;
    const [id, parts, type, length] = reply.map(String);
    return length === undefined
      ? undefined
      : { id: id!, parts: Number(parts), type: type!, length: Number(length) };
  }
}

/** A value that ends so soon may be gone before it is in its place. */
const LEAST_MS = 60_000;

const SELECT_0 = encodeCommand(['SELECT', 0]);
