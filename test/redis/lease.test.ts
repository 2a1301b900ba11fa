import type { Redis } from 'ioredis';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Lease } from '../../src/lease/lease.js';
import { useServer } from '../support/use-server.js';
import { until } from '../support/wait.js';
import { KEYS } from './internal-keys.js';
import { SILENT, useTandemClients } from '../support/tandem-clients.js';

const LEASE_MS = 300;

const { redis: client, server } = useServer({ isEmptied: true });
const open = useTandemClients();
let stop: AbortController;

beforeEach(async () => {
  stop = new AbortController();
});

afterEach(() => stop.abort());

function process(): Lease {
  return new Lease({ client, keys: KEYS, leaseMs: LEASE_MS, log: SILENT });
}

/** With a lease that outlasts any test. */
function presentProcess(): { lease: Lease; presence: Redis } {
  const presence = open({ url: server().url, name: 'test:lease' });
  return { lease: new Lease({ client, keys: KEYS, leaseMs: 600_000, log: SILENT, presence }), presence };
}

const nobodyWaits = (): void => expect.fail('it had to wait');

test('is kept for as long as its holder works, and the other waits all the time', async () => {
  const [one, two] = [process(), process()];
  const token = await one.acquire(stop.signal, nobodyWaits);
  const keeping = one.keep(stop.signal).catch(() => 'stopped');
  let waits = 0;
  const acquiring = two.acquire(stop.signal, () => waits++).catch(() => 'stopped');
  await new Promise((resolve) => {
    setTimeout(resolve, 4 * LEASE_MS);
  });
  stop.abort();
  expect(await Promise.all([keeping, acquiring])).toEqual(['stopped', 'stopped']);
  expect(waits).toBeGreaterThan(2);
  expect(await client.get(KEYS.fence)).toBe(String(token));
});

test('goes to the other when its holder falls silent, and the holder learns of it', async () => {
  const [one, two] = [process(), process()];
  const token = await one.acquire(stop.signal, nobodyWaits);
  const before = performance.now();
  expect(await two.acquire(stop.signal, () => {})).toBeGreaterThan(token);
  expect(performance.now() - before).toBeGreaterThan(LEASE_MS / 2);
  const other = new AbortController();
  void two.keep(other.signal).catch(() => {});
  await expect(one.keep(stop.signal)).rejects.toMatchObject({
    code: 'FENCED',
    message: 'another process has taken over this site',
  });
  other.abort();
});

test('that ended before its holder renewed it is not said to be with another process', async () => {
  const one = process();
  await one.acquire(stop.signal, nobodyWaits);
  await client.del(KEYS.lease);
  await expect(one.keep(stop.signal)).rejects.toMatchObject({
    code: 'FENCED',
    message: 'the lease ended before it was renewed',
  });
});

test('given back, it is free at once; only its holder can give it back', async () => {
  const [one, two] = [process(), process()];
  const token = await one.acquire(stop.signal, nobodyWaits);
  await two.release();
  expect(await client.exists(KEYS.lease)).toBe(1);
  await one.release();
  expect(await two.acquire(stop.signal, nobodyWaits)).toBeGreaterThan(token);
});

test('taken again by its own holder, it has a higher token: a new beginning fences off what was sent before it', async () => {
  const one = process();
  const token = await one.acquire(stop.signal, nobodyWaits);
  expect(await one.acquire(stop.signal, nobodyWaits)).toBeGreaterThan(token);
});

test('goes to the other at once when the connection of its holder is gone, and not while it only comes back', async () => {
  const [one, two] = [presentProcess(), presentProcess()];
  const token = await one.lease.acquire(stop.signal, nobodyWaits);
  await client.call('CLIENT', 'KILL', 'TYPE', 'pubsub');
  let waits = 0;
  const acquiring = two.lease.acquire(stop.signal, () => waits++);
  await until('it to be looked at some times', () => waits >= 2);
  expect(await client.get(KEYS.fence)).toBe(String(token));
  one.presence.disconnect();
  expect(await acquiring).toBeGreaterThan(token);
});

test('says at once that its holder is subscribed again, and not at the next renewal', async () => {
  const { lease } = presentProcess();
  await lease.acquire(stop.signal, nobodyWaits);
  const keeping = lease.keep(stop.signal).catch(() => 'stopped');
  const name = String(await client.get(KEYS.lease));
  expect(name).toMatch(/\+$/);
  await client.set(KEYS.lease, name.slice(0, -1), 'KEEPTTL');
  await client.call('CLIENT', 'KILL', 'TYPE', 'pubsub');
  await until('the mark of a subscription', async () => (await client.get(KEYS.lease)) === name);
  stop.abort();
  expect(await keeping).toBe('stopped');
});

test('whose holder may not subscribe has to end by itself', async () => {
  const { lease, presence } = presentProcess();
  await client.call('ACL', 'SETUSER', 'default', '-subscribe');
  await lease.acquire(stop.signal, nobodyWaits);
  await client.call('ACL', 'SETUSER', 'default', '+subscribe');
  presence.disconnect();
  const other = presentProcess().lease;
  let waits = 0;
  const waiting = new AbortController();
  const acquiring = other.acquire(waiting.signal, () => waits++).catch(() => 'stopped');
  await until('it to be asked again', () => waits >= 2);
  waiting.abort();
  expect(await acquiring).toBe('stopped');
});

test('can be taken, kept and given back while the memory of the server is full', async () => {
  const one = process();
  await client.config('SET', 'maxmemory', '1');
  try {
    await expect(client.set('any', 'x')).rejects.toThrow('OOM');
    const token = await one.acquire(stop.signal, nobodyWaits);
    const keeping = one.keep(stop.signal).catch((error: unknown) => error);
    let last = Infinity;
    await until('it to be renewed', async () => {
      const before = last;
      last = await client.pttl(KEYS.lease);
      return last > before;
    });
    expect(await client.get(KEYS.fence)).toBe(String(token));
    await one.release();
    expect(await client.exists(KEYS.lease)).toBe(0);
    stop.abort();
    await keeping;
  } finally {
    await client.config('SET', 'maxmemory', '0');
  }
});
