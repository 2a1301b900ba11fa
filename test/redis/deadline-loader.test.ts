import { expect, test } from 'vitest';
import { loadDeadlines } from '../../src/capture/deadline-loader.js';
import { Deadlines } from '../../src/local-writes/deadlines.js';
import { KeyHash } from '../../src/protocol/key-hash.js';
import { connectClient } from '../../src/redis/connect.js';
import { keyNames } from '../../src/redis/keys.js';
import { useTandemClients } from '../support/tandem-clients.js';
import { useServer } from '../support/use-server.js';

const { redis, server } = useServer({ isEmptied: true });
const open = useTandemClients();
const KEYS = keyNames({ prefix: 'tandem', pair: 'test' });
const AT = 1_900_000_000_000;

async function loaded(): Promise<Deadlines> {
  const deadlines = new Deadlines();
  const client = open({ url: server().url });
  await connectClient(client);
  await redis.config('RESETSTAT');
  await loadDeadlines(client, deadlines, {
    keys: KEYS,
    captured: { capturedThrough: 0 },
    signal: new AbortController().signal,
  });
  return deadlines;
}

async function hasScanned(): Promise<boolean> {
  return (await redis.info('commandstats')).includes('cmdstat_scan:');
}

function deadlineOf(deadlines: Deadlines, database: number, key: string): unknown {
  const hash = new KeyHash();
  const bytes = Buffer.from(key);
  hash.of(database, bytes, 0, bytes.length);
  return deadlines.of(hash.low, hash.high);
}

test("no key is gone through where Tandem's own alone have a deadline", async () => {
  await redis.set('lasting', 'v');
  for (const key of [KEYS.inventory, KEYS.lease, KEYS.status]) await redis.set(key, 'v', 'PX', 60_000);
  await loaded();
  expect(await hasScanned()).toBe(false);
});

test.each([0, 3])('the deadline of a key of database %s is found', async (database) => {
  await redis.set(KEYS.lease, 'v', 'PX', 60_000);
  const client = server().client({ db: database });
  await client.set('ending', 'v', 'PXAT', AT);
  const deadlines = await loaded();
  expect(await hasScanned()).toBe(true);
  expect(deadlineOf(deadlines, database, 'ending')).toBe(AT);
});
