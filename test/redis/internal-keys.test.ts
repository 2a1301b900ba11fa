import { beforeEach, describe, expect, test } from 'vitest';
import { loadConfig } from '../../src/config/config.js';
import { Lease } from '../../src/lease/lease.js';
import { runScript } from '../../src/lua/scripts.js';
import { keyNames } from '../../src/redis/keys.js';
import {
  beginEpoch,
  bringInternalKeysHome,
  type Memory,
  NO_MEMORY,
  openState,
} from '../../src/site/history.js';
import { useServer } from '../support/use-server.js';
import { SILENT } from '../support/tandem-clients.js';

const KEYS = keyNames({ prefix: 'tandem', pair: 'test' });
const TOKEN = 7;
const ORIGIN = 'test/east';
const NEVER = new AbortController().signal;

const { redis: client, server } = useServer();

beforeEach(async () => {
  await client.config('SET', 'maxmemory', '0');
  await client.flushall();
  await client.set(KEYS.fence, TOKEN);
});

function lease(): Lease {
  return new Lease({ client, keys: KEYS, leaseMs: 5000, log: SILENT });
}

describe('fencing tokens', () => {
  test('are not given out again after the keys were flushed', async () => {
    const before = await lease().acquire(NEVER, () => {});
    await client.flushall();
    expect(await lease().acquire(NEVER, () => {})).toBeGreaterThan(before);
  });

  test('rise each time the lease is taken, also by its holder', async () => {
    const holder = lease();
    const tokens = [];
    for (let i = 0; i < 5; i++) tokens.push(await holder.acquire(NEVER, () => {}));
    expect(tokens).toEqual([...new Set(tokens)].toSorted((one, other) => one - other));
  });
});

describe('the change list', () => {
  const trim = (before: number, after: number): Promise<unknown> =>
    runScript(
      client,
      'trim-changes',
      [KEYS.state, KEYS.changes, KEYS.fence],
      [TOKEN, 1, 1, 1, before, after],
    );

  beforeEach(async () => {
    await client.hset(KEYS.state, { epoch: 1, next: 4, bytes: 3, last: 3 });
    await client.rpush(KEYS.changes, 'a', 'b', 'c');
  });

  test('loses nothing to a trim that comes a second time', async () => {
    await trim(0, 1);
    await expect(trim(0, 1)).rejects.toMatchObject({ code: 'STATE_LOST' });
    expect(await client.lrange(KEYS.changes, 0, -1)).toEqual(['b', 'c']);
  });

  test('is trimmed although the memory is full', async () => {
    await client.config('SET', 'maxmemory', '1');
    await trim(0, 1);
    expect(await client.lrange(KEYS.changes, 0, -1)).toEqual(['b', 'c']);
  });
});

describe('a delivery', () => {
  const deliver = async (batch: { epoch: number; first: number; last?: number; previous: number | '' }) => {
    const { epoch, first, last = first, previous } = batch;
    const args = [ORIGIN, epoch, first, last, 'batch', previous];
    return ((await runScript(client, 'deliver-batch', [KEYS.received, KEYS.inbox], args)) as unknown[])[0];
  };

  beforeEach(() => client.hset(KEYS.received, { origin: ORIGIN, epoch: 1, n: 10, bytes: 0, limit: 100 }));

  test('of a new epoch is refused while something before it is missing', async () => {
    expect(await deliver({ epoch: 2, first: 100, previous: 11 })).toBe('gap');
    expect(await deliver({ epoch: 1, first: 11, previous: 10 })).toBe('accepted');
    expect(await deliver({ epoch: 2, first: 100, previous: 11 })).toBe('accepted');
    expect(await deliver({ epoch: 2, first: 100, previous: 11 })).toBe('duplicate');
    expect(await client.llen(KEYS.inbox)).toBe(2);
  });

  test('behind a cut is accepted, and the cut is noted', async () => {
    expect(await deliver({ epoch: 1, first: 50, previous: 49 })).toBe('gap');
    expect(await deliver({ epoch: 1, first: 50, previous: '' })).toBe('accepted');
    expect(await client.hget(KEYS.received, 'cut')).toBe('50');
  });

  test('of numbers that a newer epoch uses again is never taken for a duplicate', async () => {
    expect(await deliver({ epoch: 2, first: 5, previous: 4 })).toBe('gap');
  });

  test('is not refused by an empty inbox, whatever bytes were noted for it', async () => {
    await client.hset(KEYS.received, 'bytes', 1000);
    expect(await deliver({ epoch: 1, first: 11, previous: 10 })).toBe('accepted');
    expect(await client.hget(KEYS.received, 'bytes')).toBe('5');
  });

  test('and a heartbeat come in although the memory is full', async () => {
    await client.config('SET', 'maxmemory', '1');
    expect(await deliver({ epoch: 1, first: 11, previous: 10 })).toBe('accepted');
    const beat = (await runScript(
      client,
      'deliver-heartbeat',
      [KEYS.received],
      [ORIGIN, 1, 11, 1, 3, 0],
    )) as unknown[];
    expect(beat[0]).toBe('accepted');
  });
});

describe('internal keys in another database', () => {
  beforeEach(async () => {
    await client.hset(KEYS.state, 'next', 5);
    await client.rpush(KEYS.changes, 'a');
    await client.swapdb(0, 3);
  });

  test('are brought home by the one who has the lease, which stays as it is', async () => {
    const token = await lease().acquire(NEVER, () => {});
    await bringInternalKeysHome(client, KEYS, token);
    expect(await client.hget(KEYS.state, 'next')).toBe('5');
    expect(await client.lrange(KEYS.changes, 0, -1)).toEqual(['a']);
    expect(await client.get(KEYS.fence)).toBe(String(token));
  });

  test('are left alone by anybody else', async () => {
    await lease().acquire(NEVER, () => {});
    await expect(bringInternalKeysHome(client, KEYS, TOKEN)).rejects.toMatchObject({ code: 'FENCED' });
    expect(await client.exists(KEYS.state)).toBe(0);
  });
});

test('the internal keys are sound with whatever names the keys whose own value stays, and with nothing else that is no number', async () => {
  await client.hset(KEYS.state, { epoch: 1, next: 4 });
  await client.hset(KEYS.applied, { epoch: 1, n: 3, decided: 2, clock: 9 });
  await client.hset(KEYS.received, { epoch: 1, n: 3, bytes: 0, limit: 9, origin: ORIGIN });
  await client.hset(KEYS.site, { pair: 'test', site: 'west' });
  const keys = [KEYS.fence, KEYS.state, KEYS.applied, KEYS.received, KEYS.site];
  const types = ['string', 'hash', 'hash', 'hash', 'hash'];
  const look = (): Promise<unknown> =>
    runScript(client, 'check-internal-keys', keys, ['look', TOKEN, 'test', 'west', ...types]);
  await client.hset(KEYS.applied, 'kept', Buffer.from([0, 13, 10, 255]));
  expect(await look()).toEqual([[], []]);
  await client.hset(KEYS.applied, 'other', 'text');
  expect(await look()).toEqual([[KEYS.applied], []]);
});

test('what was applied last is known at the next start, whatever names the keys whose own value stays', async () => {
  const env = { TANDEM_PAIR: 'test', TANDEM_SITE: 'west', TANDEM_PEER: 'east' };
  const urls = { TANDEM_LOCAL_URL: server().url, TANDEM_PEER_URL: 'redis://127.0.0.1:1' };
  const config = loadConfig({ env: { ...env, ...urls } });
  const open = (): ReturnType<typeof openState> =>
    openState({ local: client, keys: KEYS, token: TOKEN, config, memory: NO_MEMORY });
  await open();
  const kept = Buffer.from([0, 13, 10, 255]);
  await client.hset(KEYS.applied, { epoch: 3, n: 70, decided: 2, clock: 900, suspect: 70, kept });
  expect(await open()).toMatchObject({
    applied: { epoch: 3, sequence: 70 },
    clock: 900,
    isSuspect: true,
  });
});

describe('up to where places of lists were noted', () => {
  const env = { TANDEM_PAIR: 'test', TANDEM_SITE: 'west', TANDEM_PEER: 'east' };
  const open = async (memory: Partial<Memory> = {}): Promise<number | undefined> => {
    const urls = { TANDEM_LOCAL_URL: server().url, TANDEM_PEER_URL: 'redis://127.0.0.1:1' };
    const options = {
      local: client,
      keys: KEYS,
      token: TOKEN,
      config: loadConfig({ env: { ...env, ...urls } }),
    };
    return (await openState({ ...options, memory: { ...NO_MEMORY, ...memory } })).noted;
  };

  test('is the later one of what is kept with the position and with what is applied', async () => {
    expect(await open()).toBeUndefined();
    await client.hset(KEYS.applied, 'noted', 30);
    expect(await open()).toBeUndefined();
    await client.hset(KEYS.state, 'noted', 20);
    expect(await open()).toBe(30);
    await client.hset(KEYS.state, 'noted', 40);
    expect(await open()).toBe(40);
  });

  test.each([
    ['the state', KEYS.state],
    ['what is applied', KEYS.applied],
  ])('is not known where %s is gone, unless the process remembers it', async (_, key) => {
    await open();
    const fields = { noted: 20 };
    await client.hset(KEYS.state, fields);
    await client.del(key);
    expect(await open()).toBeUndefined();
    await client.hset(KEYS.state, fields);
    await client.del(key);
    expect(await open({ noted: 25, epoch: 3, next: 9 })).toBe(25);
  });

  test.each([
    [true, 20],
    [false, undefined],
  ])('in a new epoch, with nothing of the stream missed: %s', async (isWhole, noted) => {
    await open();
    await client.hset(KEYS.state, { noted: 20, next: 9 });
    const position = { replid: 'new', offset: 5, database: 0, seenEpoch: 1, seen: 2 };
    const epoch = { epoch: 1, next: 9, position, clock: 1, last: 8, isWhole };
    await beginEpoch({ local: client, keys: KEYS, token: TOKEN, ...epoch });
    expect(await open()).toBe(noted);
  });
});
