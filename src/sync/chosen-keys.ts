/** Which keys a comparison or a copy is about, and where they are. */

import type { ChainableCommander, Redis } from 'ioredis';
import { globToRegExp, type Filter } from '../config/filter.js';
import { KeyHash } from '../protocol/key-hash.js';
import type { PlacedKey } from '../redis-commands/placed-key.js';
import { runScript } from '../lua/scripts.js';

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

  constructor({
    filter,
    internalPrefix,
    choice,
  }: {
    filter: Filter;
    internalPrefix: string;
    choice: Choice;
  }) {
    this.#filter = filter;
    this.#prefix = Buffer.from(internalPrefix);
    this.#choice = choice;
    this.#pattern = choice.pattern === undefined ? undefined : globToRegExp(choice.pattern);
  }

  database(database: number): boolean {
    const { database: only } = this.#choice;
    return (only === undefined || only === database) && this.#filter.database(database);
  }

  key(database: number, key: Buffer): boolean {
    // In any database: a SWAPDB takes them along, and no site takes them from its peer.
    if (key.subarray(0, this.#prefix.length).equals(this.#prefix)) return false;
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

/** Some names. @param place `cursor`: `0` at the beginning, and again at the end */
export async function scan(
  client: Redis,
  place: { database: number; cursor: string; count: number; pattern?: string | undefined },
): Promise<{ cursor: string; keys: Buffer[] }> {
  const { database, cursor, count, pattern } = place;
  const [reply] = await inDatabase(client, database, (pipeline) =>
    pattern === undefined
      ? pipeline.scanBuffer(cursor, 'COUNT', count)
      : pipeline.scanBuffer(cursor, 'MATCH', pattern, 'COUNT', count),
  );
  const [next, keys] = reply as [Buffer, Buffer[]];
  return { cursor: next.toString('latin1'), keys };
}

/** Those of the keys that do not exist. */
export async function absentAmong(
  client: Redis,
  database: number,
  keys: readonly Buffer[],
): Promise<Buffer[]> {
  if (keys.length === 0) return [];
  const places = (await runScript(client, 'find-absent-keys', [], [database, ...keys])) as number[];
  return places.map((place) => keys[place - 1]!);
}

/** The type of each key here; `none` for those that do not exist. */
export async function typesOf(client: Redis, keys: readonly PlacedKey[]): Promise<string[]> {
  const types: string[] = [];
  for (const { database, key } of keys) {
    const [type] = await inDatabase(client, database, (pipeline) => pipeline.type(key));
    types.push(String(type));
  }
  return types;
}

/**
 * Runs commands in a database and goes back to the first one. All are sent at once, so that nothing else on this client, which
 * several pieces of work share, runs in between.
 */
async function inDatabase(
  client: Redis,
  database: number,
  fill: (pipeline: ChainableCommander) => unknown,
): Promise<unknown[]> {
  const pipeline = client.pipeline().select(database);
  fill(pipeline);
  const results = (await pipeline.select(0).exec()) ?? [];
  return results.slice(1, -1).map(([error, reply]) => {
    if (error) throw error;
    return reply;
  });
}
