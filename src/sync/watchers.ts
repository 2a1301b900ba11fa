/**
 * Connections that watch a key each. A transaction on such a connection runs only if its key was not written since: so what was read of
 * the key in many steps is its value at one place.
 */

import { TandemError } from '../errors.js';
import type { PlacedKey } from '../redis-commands/placed-key.js';
import { answerOf, type Redis } from '../redis/connect.js';
import { connectPrimary } from '../redis/primary.js';
import { sendCommand } from '../redis/send-command.js';

type Words = readonly [name: string, ...args: (string | number | Buffer)[]];

export class Watchers {
  readonly #open: () => Redis;
  readonly #limit: number;
  readonly #all: Redis[] = [];
  readonly #idle: Redis[] = [];
  readonly #waiting: ((client: Redis) => void)[] = [];
  #isClosed = false;

  /** @param options `limit`: connections at the most; they are made when they are needed */
  constructor({ open, limit }: { open: () => Redis; limit: number }) {
    this.#open = open;
    this.#limit = limit;
  }

  /** Gives work a connection of its own, when there is one. @throws what the work throws; UNREACHABLE, CLOSED */
  async use<Result>(signal: AbortSignal, work: (client: Redis) => Promise<Result>): Promise<Result> {
    const client = await this.#take();
    try {
      signal.throwIfAborted();
      // A client that was ended would connect anew.
      if (this.#isClosed) throw new TandemError('CLOSED', 'the work on large values has ended');
      await connectPrimary(client, signal);
      await unwatch(client);
      return await work(client);
    } finally {
      const next = this.#waiting.shift();
      if (next) next(client);
      else this.#idle.push(client);
    }
  }

  close(): void {
    this.#isClosed = true;
    for (const client of this.#all) client.disconnect();
  }

  async #take(): Promise<Redis> {
    const idle = this.#idle.pop();
    if (idle) return idle;
    if (this.#all.length >= this.#limit) return new Promise((resolve) => this.#waiting.push(resolve));
    const client = this.#open();
    this.#all.push(client);
    return client;
  }
}

/**
 * Whether the connection was lost on which a client watches a key. The client makes another one by itself, and that watches nothing.
 */
const watches = new WeakMap<Redis, { isLost: boolean }>();

/** Watches a key, which is in the selected database from then on. */
export async function watchKey(client: Redis, { database, key }: PlacedKey): Promise<void> {
  if (!watches.has(client)) client.on('close', () => void (watches.get(client)!.isLost = true));
  watches.set(client, { isLost: false });
  // An earlier piece of work may have left keys watched, or another database selected.
  const left = [client.unwatch(), client.select(database)];
  await answerOf(client, Promise.all([...left, client.watch(key)]));
}

/** Watches nothing any more. */
export async function unwatch(client: Redis): Promise<void> {
  if (watches.has(client)) watches.set(client, { isLost: false });
  await answerOf(client, client.unwatch());
}

/** Runs commands if the watched key was not written. Gives their replies; nothing if it was. */
export async function runUnlessWritten(
  client: Redis,
  commands: readonly Words[],
): Promise<unknown[] | undefined> {
  if (watches.get(client)?.isLost === true) return undefined;
  const sent = [['MULTI'] as const, ...commands].map((words) => sendCommand(client, words));
  const replies = await answerOf(client, Promise.all([...sent, sendCommand(client, ['EXEC'])]));
  return (replies.at(-1) as unknown[] | null) ?? undefined;
}
