/** Which keys a comparison or a copy is about, and where they are. */

import type { Redis } from 'ioredis';
import { globToRegExp, type Filter } from '../change/filter.js';
import { KeyHash } from '../change/key-hash.js';

export interface Choice {
  /** Redis' own glob; all keys without one. */
  readonly pattern?: string | undefined;
  readonly database?: number | undefined;
  /** Percent of the keys, the same ones at both sites; all without one. */
  readonly sample?: number | undefined;
}

/** Tells the keys that count. */
export class Chosen {
  readonly #filter: Filter;
  readonly #prefix: Buffer;
  readonly #pattern: RegExp | undefined;
  readonly #choice: Choice;
  readonly #hash = new KeyHash();

  constructor({ filter, ownPrefix, choice }: { filter: Filter; ownPrefix: string; choice: Choice }) {
    this.#filter = filter;
    this.#prefix = Buffer.from(ownPrefix);
    this.#choice = choice;
    this.#pattern = choice.pattern === undefined ? undefined : globToRegExp(choice.pattern);
  }

  database(database: number): boolean {
    const { database: only } = this.#choice;
    return (only === undefined || only === database) && this.#filter.database(database);
  }

  key(database: number, key: Buffer): boolean {
    if (database === 0 && key.subarray(0, this.#prefix.length).equals(this.#prefix)) return false;
    if (!this.#filter.passesAllKeys && !this.#filter.key(database, key)) return false;
    if (this.#pattern && !this.#pattern.test(key.toString('latin1'))) return false;
    const { sample } = this.#choice;
    if (sample === undefined) return true;
    this.#hash.of(database, key, 0, key.length);
    return ((this.#hash.low >>> 0) / 2 ** 32) * 100 < sample;
  }
}

/** How many keys each database has, those without any left out. */
export async function databaseSizes(client: Redis): Promise<Map<number, number>> {
  const info = await client.info('keyspace');
  return new Map(
    [...info.matchAll(/^db(\d+):keys=(\d+)/gm)].map(([, database, keys]) => [Number(database), Number(keys)]),
  );
}

/** Names this server has given to the state of its memory: a cursor of `SCAN` counts only as long as it is the same. */
export async function runIdOf(client: Redis): Promise<string> {
  return /^run_id:(\w+)/m.exec(await client.info('server'))?.[1] ?? '';
}

/** Some names, in the database the client has selected. @param cursor `0` at the beginning, and again at the end */
export async function scan(
  client: Redis,
  { cursor, count, pattern }: { cursor: string; count: number; pattern?: string | undefined },
): Promise<{ cursor: string; keys: Buffer[] }> {
  const [next, keys] =
    pattern === undefined
      ? await client.scanBuffer(cursor, 'COUNT', count)
      : await client.scanBuffer(cursor, 'MATCH', pattern, 'COUNT', count);
  return { cursor: next.toString('latin1'), keys };
}
