import { afterEach, beforeEach, expect, test } from 'vitest';
import { expectEqual } from '../support/equal.js';
import { type Pair, type Site, startPair } from '../support/pair.js';
import { quiet } from '../support/quiet.js';
import { until } from '../support/wait.js';
import { verifyAt } from './long-jobs.js';
import { runScript } from '../../src/lua/scripts.js';
import { LONG_BACKLOG, ownKeys, QUICK } from './observe.js';

/** How long what is about to expire still lasts. */
const SHORT_MS = 300;
const LONG_MS = 600_000;

let pair: Pair;
let east: Site;
let west: Site;

beforeEach(async () => {
  pair = await startPair({ server: LONG_BACKLOG, env: QUICK, proxy: true });
  ({ east, west } = pair);
});
afterEach(() => pair.close());

/** Lets a server expire a key only when somebody looks at it. */
async function expireLazily({ redis }: Site): Promise<void> {
  await redis.call('DEBUG', 'SET-ACTIVE-EXPIRE', '0');
}

/** What is written at east reaches west after the expiry that was to come first. */
async function arriveLate(write: () => Promise<unknown>): Promise<void> {
  east.network.cut();
  await write();
  const expired = Date.now() + SHORT_MS;
  await until('the expiry to be past', () => Promise.resolve(Date.now() > expired + 50));
  east.network.resume();
  await quiet(pair, { deadlineMs: 30_000 });
}

test('a list whose expiry is put off in time is not lost where that arrives too late', async () => {
  await expireLazily(west);
  await east.redis.rpush('list', 'old');
  await quiet(pair);
  await east.redis.pexpire('list', SHORT_MS);
  await quiet(pair);
  await arriveLate(async () => {
    await east.redis.pexpire('list', LONG_MS);
    await east.redis.rpush('list', 'new');
  });
  await expectEqual(east.redis, west.redis);
  expect(await west.redis.lrange('list', 0, -1)).toEqual(['old', 'new']);
});

test('an expiry that is past when it arrives, and was taken back, takes nothing along', async () => {
  await arriveLate(async () => {
    await east.redis.set('value', 'v', 'PX', SHORT_MS);
    await east.redis.persist('value');
    await east.redis.rpush('list', 'a');
    await east.redis.pexpire('list', SHORT_MS);
    await east.redis.pexpire('list', LONG_MS);
    // Removed once by the application, and once by the server.
    await east.redis.multi().set('again', 'a').del('again').set('again', 'b', 'PX', SHORT_MS).exec();
    await east.redis.persist('again');
  });
  await expectEqual(east.redis, west.redis);
  expect(await west.redis.mget('value', 'again')).toEqual(['v', 'b']);
});

test('a state whose expiry is past when it arrives, and was put off in time, takes nothing along', async () => {
  const written = "redis.set_repl(redis.REPL_NONE) redis.call('RPUSH', KEYS[1], 'a', 'b')";
  await east.redis.eval(`${written} redis.call('PEXPIRE', KEYS[1], ARGV[1])`, 1, 'list', 10 * SHORT_MS);
  await arriveLate(async () => {
    await east.redis.pexpire('list', SHORT_MS);
    // As a repair sends what the peer lacks.
    await runScript(
      east.redis,
      'copy-keys',
      [ownKeys().out],
      ['east', '10', 0, 1_000_000, 0, 0, 0, 'list', 0],
    );
    await east.redis.pexpire('list', LONG_MS);
    await east.redis.rpush('list', 'c');
  });
  await expectEqual(east.redis, west.redis);
  expect(await west.redis.lrange('list', 0, -1)).toEqual(['a', 'b', 'c']);
});

test('a comparison that finds a key expired does not part the sites', async () => {
  await expireLazily(west);
  await east.redis.rpush('list', 'old');
  await quiet(pair);
  await east.redis.pexpire('list', SHORT_MS);
  await quiet(pair);
  await arriveLate(() => east.redis.pexpire('list', LONG_MS));
  expect((await verifyAt(pair, east)).result).toMatchObject({ differing: 0 });
  await expectEqual(east.redis, west.redis);
});
