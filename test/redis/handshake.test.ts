import type { Redis } from 'ioredis';
import { expect, test } from 'vitest';
import { shakeHands } from '../../src/outbound/handshake.js';
import { keyNames } from '../../src/redis/keys.js';
import { useServer } from '../support/use-server.js';

const PAIR = 'shp';
const KEYS = keyNames({ prefix: 'tandem', pair: PAIR });

const { server } = useServer({ isEmptied: true });

function meet(client: Redis): Promise<unknown> {
  const about = { pair: PAIR, site: 'east', peer: 'west' };
  return shakeHands({ client, keys: KEYS, ...about, list: { firstSequence: 1 } });
}

const refusal = (hint: string): object => ({ reason: { code: 'PEER_NOT_READY', hint } });

test('where nobody has worked yet, the peer is to be started', async () => {
  await expect(meet(server().client())).rejects.toMatchObject(refusal('start Tandem for site west'));
});

test('where only another pair has worked, the name may be misspelt', async () => {
  await server()
    .client()
    .hset(keyNames({ prefix: 'tandem', pair: 'shop' }).site, 'pair', 'shop');
  await expect(meet(server().client())).rejects.toMatchObject(
    refusal(
      "start Tandem for site west; or is pair misspelt, here (shp) or there? The peer's Redis has keys of pair shop",
    ),
  );
});

test('an account that may not look is refused in the same way', async () => {
  const client = server().client();
  await client.hset(keyNames({ prefix: 'tandem', pair: 'shop' }).site, 'pair', 'shop');
  await client.call(
    'ACL',
    'SETUSER',
    'limited',
    'reset',
    'on',
    'nopass',
    `~${KEYS.peerPrefix}*`,
    '+@all',
    '-scan',
  );
  const limited = server().client({ username: 'limited', password: 'any' });
  await client.call('ACL', 'LOG', 'RESET');
  await expect(meet(limited)).rejects.toMatchObject(refusal('start Tandem for site west'));
  expect(await client.call('ACL', 'LOG')).toEqual([]);
});
