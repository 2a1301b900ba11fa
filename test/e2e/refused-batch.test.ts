import { afterAll, beforeAll, expect, test } from 'vitest';
import { expectEqual } from '../support/equal.js';
import { type Pair, startPair } from '../support/pair.js';
import { quiet } from '../support/quiet.js';
import { until } from '../support/wait.js';
import { keyNames } from '../../src/redis/keys.js';
import { batchOf } from '../support/applying.js';

let pair: Pair;

beforeAll(async () => {
  pair = await startPair({
    env: { TANDEM_LEASE_MS: '60000' },
    west: { server: { args: ['--rename-command', 'SETRANGE', 'hidden'] } },
  });
}, 60_000);
afterAll(() => pair.close());

test('writes of thousands of elements that meet others arrive whole', async () => {
  const { east, west } = pair;
  const many = Array.from({ length: 9000 }, (_, i) => `m${i}`);
  for (const site of [east, west]) site.pause();
  await east.redis.rpush('list', ...many);
  await west.redis.rpush('list', 'one');
  await east.redis.sadd('set', ...many);
  await west.redis.sadd('set', 'one');
  await east.redis.hset('hash', ...many);
  await west.redis.hset('hash', 'one', '1');
  await east.redis.pfadd('seen', ...many);
  await west.redis.pfadd('seen', 'one');
  east.resume();
  west.resume();
  await quiet(pair);
  expect([
    await west.redis.llen('list'),
    await west.redis.scard('set'),
    await west.redis.hlen('hash'),
  ]).toEqual([9001, 9001, 4501]);
  await expectEqual(east.redis, west.redis);
  expect(await west.redis.exists(keyNames({ prefix: 'tandem', pair: pair.name }).rejected)).toBe(0);
});

test('a command that the peer does not have is listed there, each time', async () => {
  const { east, west } = pair;
  const keys = keyNames({ prefix: 'tandem', pair: pair.name });
  await east.redis.call('SETRANGE', 'text', '0', 'x');
  await quiet(pair);
  await east.redis.call('SETRANGE', 'text', '1', 'y');
  await quiet(pair);
  expect([await west.redis.get('text'), await west.redis.xlen(keys.rejected)]).toEqual([null, 2]);
});

test('a batch that is no changes of data stops the link, and the process says so and lives', async () => {
  const { west } = pair;
  const keys = keyNames({ prefix: 'tandem', pair: pair.name });
  const [epoch, n] = await west.redis.hmget(keys.received, 'epoch', 'n');
  const first = Number(n) + 1;
  const batch = batchOf(first, [['SET', 'a', '1'], ['EXEC'], ['CONFIG', 'SET', 'maxclients', '5000']], {
    pair: pair.name,
    origin: 'east',
    epoch: Number(epoch),
  });
  await west.redis.rpush(keys.inbox, batch);
  await west.waitForLog(
    ({ msg, ...fields }) => msg.includes('has stopped') && fields['reason'] === 'BATCH_INVALID',
  );
  const status = async (): Promise<string> => (await west.redis.get(keys.status)) ?? '';
  await until('the status to say so', async () => (await status()).includes('"state":"stopped"'));
  expect([west.running, await west.redis.exists('a')]).toEqual([true, 0]);
});
