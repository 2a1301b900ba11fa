/** Finds the keys that have a deadline when a process begins to work. Capture sees only deadlines that are given later. */

import type { Redis } from 'ioredis';
import type { Deadlines } from '../local-writes/deadlines.js';
import type { FieldDeadlines } from '../local-writes/field-deadlines.js';
import { KeyHash } from '../protocol/key-hash.js';
import { scriptSource } from '../lua/scripts.js';
import { answerOf } from '../redis/connect.js';
import type { KeyNames } from '../redis/keys.js';

/** So many keys are looked at before the first change of the peer's is applied; with more it goes on beside. */
const MAX_AT_START = 200_000;
const STEP_KEYS = 500;
const STEP_HASHES = 50;

/** How far capture has read the stream. */
interface Captured {
  readonly capturedThrough: number;
}

/**
 * Looks at all keys. Capture must read the stream already.
 * @returns when so few keys are looked at that it can be waited for, or at once
 */
export async function loadDeadlines(
  local: Redis,
  deadlines: Deadlines,
  {
    keys,
    captured,
    signal,
  }: { readonly keys: KeyNames; readonly captured: Captured; readonly signal: AbortSignal },
): Promise<void> {
  const { inventory, lease, status, waits } = keys;
  const own = [inventory, lease, status, waits];
  const look = local.call('EVAL', scriptSource('look-at-keyspace'), own.length, ...own);
  const [keyspace, internal] = (await answerOf(local, look)) as [string, number];
  const databases = [...keyspace.matchAll(/^db(\d+):keys=(\d+),expires=(\d+)/gm)].map(
    ([, database, count, expires]) => ({
      database: Number(database),
      count: Number(count),
      // The server counts its keys with a deadline: where there is none, the keys need not be gone through.
      hasDeadlines: Number(expires) > (database === '0' ? internal : 0),
    }),
  );
  const expiring = databases.filter(({ hasDeadlines }) => hasDeadlines);
  const sum = expiring.reduce((all, { count }) => all + count, 0);
  const numbers = (some: typeof databases): number[] => some.map(({ database }) => database);
  deadlines.loading(captured.capturedThrough);
  // Redis and Valkey say how many hashes have fields with a deadline.
  const hasFields = /(subexpiry|keys_with_volatile_items)=[1-9]/.test(keyspace);
  // Nothing is waited for between the two: what begins, and fails meanwhile, would fail unheard.
  const loading = Promise.all([
    load(local, deadlines, { databases: numbers(expiring), signal }),
    hasFields
      ? loadFields(local, deadlines.fields, { databases: numbers(databases), captured, signal })
      : deadlines.fields.completed(captured.capturedThrough),
  ]);
  if (sum <= MAX_AT_START) await loading;
  // A deadline that is not loaded yet is unknown, and the peer is asked. A failure here ends the work by itself.
  else loading.catch(() => {});
}

async function loadFields(
  local: Redis,
  fields: FieldDeadlines,
  { databases, captured, signal }: { databases: readonly number[]; captured: Captured; signal: AbortSignal },
): Promise<void> {
  const hash = new KeyHash();
  fields.losing();
  for (const database of databases) {
    let cursor = '0';
    do {
      signal.throwIfAborted();
      const reply = local.callBuffer(
        'EVAL',
        scriptSource('list-field-deadlines'),
        0,
        database,
        cursor,
        STEP_HASHES,
      );
      const [next, ...found] = (await answerOf(local, reply)) as [Buffer, ...Buffer[][]];
      for (const [key, ...pairs] of found) {
        hash.of(database, key!, 0, key!.length);
        for (let at = 0; at + 1 < pairs.length; at += 2)
          fields.found(hash.low, hash.high, pairs[at]!.toString('latin1'), Number(pairs[at + 1]));
      }
      cursor = next.toString('latin1');
    } while (cursor !== '0');
  }
  fields.completed(captured.capturedThrough);
}

async function load(
  local: Redis,
  deadlines: Deadlines,
  { databases, signal }: { databases: readonly number[]; signal: AbortSignal },
): Promise<void> {
  const hash = new KeyHash();
  for (const database of databases) {
    let cursor = '0';
    do {
      signal.throwIfAborted();
      const reply = local.callBuffer('EVAL', scriptSource('list-deadlines'), 0, database, cursor, STEP_KEYS);
      const [next, ...found] = (await answerOf(local, reply)) as Buffer[];
      for (let at = 0; at + 1 < found.length; at += 2) {
        const key = found[at]!;
        hash.of(database, key, 0, key.length);
        deadlines.found(hash.low, hash.high, Number(found[at + 1]!.toString('latin1')));
      }
      cursor = next!.toString('latin1');
    } while (cursor !== '0');
  }
  deadlines.completed();
}
