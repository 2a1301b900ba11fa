/** Everything of a pair's own at a server, found by its prefix in every database: also what no table of names knows. */

import type { Redis } from 'ioredis';
import { answerOf } from './connect.js';

export interface InternalKey {
  readonly database: number;
  readonly name: Buffer;
  /** As `TYPE` says it. */
  readonly type: string;
  /** Elements, fields, members, or the bytes of a string; null for a type that is not counted. */
  readonly entries: number | null;
  /** The memory that the server counts for it; null where the account may not ask. */
  readonly bytes: number | null;
}

/** Keys one step of a search looks at. */
const SEARCH_COUNT = 1000;

const COUNTED: Readonly<Record<string, string>> = {
  string: 'STRLEN',
  list: 'LLEN',
  hash: 'HLEN',
  set: 'SCARD',
  zset: 'ZCARD',
  stream: 'XLEN',
};

/** The internal keys, by database and name. Leaves the client in database 0. @param prefix free of glob characters, as names are */
export async function findInternalKeys(client: Redis, prefix: string): Promise<InternalKey[]> {
  const found: InternalKey[] = [];
  await inEachDatabase(client, async (database) => {
    for await (const names of search(client, prefix))
      for (const name of names) found.push({ database, name, ...(await measure(client, name)) });
  });
  return found.toSorted((a, b) => a.database - b.database || a.name.compare(b.name));
}

/**
 * Removes all that begins with the prefix, in every database, but for `kept` in database 0. Leaves the client in database 0.
 * @throws the signal's reason when it aborts in between
 */
export async function removeInternalKeys(
  client: Redis,
  { prefix, kept, signal }: { prefix: string; kept: readonly string[]; signal: AbortSignal },
): Promise<void> {
  await inEachDatabase(client, async (database) => {
    for await (const names of search(client, prefix)) {
      signal.throwIfAborted();
      const now = database === 0 ? names.filter((name) => !kept.includes(name.toString('latin1'))) : names;
      if (now.length > 0) await answerOf(client, client.unlink(now));
    }
  });
  signal.throwIfAborted();
}

async function inEachDatabase(client: Redis, work: (database: number) => Promise<void>): Promise<void> {
  const keyspace = await answerOf(client, client.info('keyspace'));
  const databases = [...keyspace.matchAll(/^db(\d+):/gm)].map(([, database]) => Number(database));
  try {
    for (const database of databases) {
      await answerOf(client, client.select(database));
      await work(database);
    }
  } finally {
    await answerOf(client, client.select(0));
  }
}

async function* search(client: Redis, prefix: string): AsyncGenerator<Buffer[]> {
  const beginning = Buffer.from(prefix);
  let cursor = '0';
  do {
    const [next, names] = await answerOf(
      client,
      client.scanBuffer(cursor, 'MATCH', `${prefix}*`, 'COUNT', SEARCH_COUNT),
    );
    yield names.filter((name) => name.subarray(0, beginning.length).equals(beginning));
    cursor = next.toString('latin1');
  } while (cursor !== '0');
}

async function measure(
  client: Redis,
  name: Buffer,
): Promise<Pick<InternalKey, 'type' | 'entries' | 'bytes'>> {
  const type = await answerOf(client, client.type(name));
  const count = COUNTED[type];
  const entries = count === undefined ? null : Number(await answerOf(client, client.call(count, name)));
  const bytes = await client.call('MEMORY', 'USAGE', name).catch(() => null);
  return { type, entries, bytes: bytes === null ? null : Number(bytes) };
}
