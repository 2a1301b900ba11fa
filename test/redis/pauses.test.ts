import { expect, test } from 'vitest';
import { pause, Pauses, readPauses, resume } from '../../src/site/pauses.js';
import { useServer } from '../support/use-server.js';
import { KEYS } from './internal-keys.js';
import { SILENT } from '../support/tandem-clients.js';

const { redis: client } = useServer({ isEmptied: true });

test('a direction is paused on a server without memory too, and goes on there', async () => {
  await client.config('SET', 'maxmemory', '1');
  await pause(client, KEYS, ['inbound']);
  expect(await readPauses(client, KEYS)).toEqual({
    outbound: undefined,
    inbound: expect.any(Number) as number,
  });
  await resume(client, KEYS, ['inbound', 'outbound']);
  await client.config('SET', 'maxmemory', '0');
  expect(await client.exists(KEYS.paused)).toBe(0);
});

test('what was paused before keeps its beginning, and what nobody can read is a pause', async () => {
  await client.hset(KEYS.paused, { outbound: '1000', inbound: 'x' });
  await pause(client, KEYS, ['outbound', 'inbound']);
  const pauses = new Pauses({ client, keys: KEYS, log: SILENT });
  expect(pauses.since('outbound')).toBeUndefined();
  await pauses.look();
  expect([pauses.since('outbound'), pauses.since('inbound')]).toEqual([1000, 0]);
});
