import { readFileSync } from 'node:fs';
import type { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { encodeCommand } from '../../src/redis-commands/encode-command.js';
import { allKeys } from '../../src/redis/keys.js';
import { batchOf } from '../support/applying.js';
import { expectEqual } from '../support/equal.js';
import { type Pair, startPair } from '../support/pair.js';
import { quiet } from '../support/quiet.js';
import type { TestServer } from '../support/server.js';
import { until } from '../support/wait.js';
import { QUICK, expectNothingWaits, ownKeys, statusOf } from './observe.js';

/** What whoever has the account of `peerUrl`, with exactly the rights that the documents give it, can and cannot do. */
const KEYS = ownKeys();
const RULES = [
  ...readFileSync('docs/guide/accounts.md', 'utf8').matchAll(/^ACL SETUSER (\S+) on '>password' (.*)$/gm),
].map(([, user, rule]) => `user ${user} on >secret ${rule!.replaceAll('{shop}', '{test}')}`);
const URLS = {
  localUrl: (server: TestServer): string => server.urlFor('tandem', 'secret'),
  peerUrl: (server: TestServer): string => server.urlFor('tandem-peer', 'secret'),
};

let pair: Pair;
/** East's account at west, in the wrong hands. */
let hostile: Redis;

beforeAll(async () => {
  pair = await startPair({ env: QUICK, server: { aclLines: RULES }, east: URLS, west: URLS });
  hostile = pair.west.server.client({ username: 'tandem-peer', password: 'secret' });
  await pair.west.redis.set('users', 'x');
  await quiet(pair);
});
afterAll(() => pair.close());

/** A change of each site crosses. */
async function expectDelivery(): Promise<void> {
  const { east, west } = pair;
  await Promise.all([east.redis.incr('of east'), west.redis.incr('of west')]);
  await quiet(pair);
  await expectEqual(east.redis, west.redis);
  await expectNothingWaits(pair);
}

const LOCAL_ONLY = [
  ...allKeys(KEYS).filter((key) => !key.startsWith(KEYS.peerPrefix)),
  `${KEYS.jobsPrefix}verify:meta`,
  `${KEYS.differencesPrefix}1`,
];

const DENIED: readonly (readonly [string, ...string[]])[] = [
  // Users' keys, by commands it has and by commands it has not.
  ['GET', 'users'],
  ['DUMP', 'users'],
  ['HGET', 'users', 'f'],
  ['HMGET', 'users', 'f'],
  ['LLEN', 'users'],
  ['SET', 'users', 'y'],
  ['DEL', 'users'],
  ['EXPIRE', 'users', '1'],
  ['HSET', 'other', 'f', 'v'],
  ['HDEL', 'other', 'f'],
  ['RPUSH', 'other', 'v'],
  ['COPY', KEYS.inbox, 'stolen'],
  ['RENAME', KEYS.inbox, 'stolen'],
  ['RESTORE', 'other', '0', 'x'],
  // The whole database, and what is in it.
  ['FLUSHALL'],
  ['FLUSHDB'],
  ['SWAPDB', '0', '1'],
  ['KEYS', '*'],
  ['SCAN', '0'],
  ['RANDOMKEY'],
  ['DBSIZE'],
  ['SELECT', '1'],
  ['MOVE', KEYS.inbox, '1'],
  // The server.
  ['CONFIG', 'GET', '*'],
  ['CONFIG', 'SET', 'dir', '/tmp'],
  ['CONFIG', 'REWRITE'],
  ['CONFIG', 'RESETSTAT'],
  ['DEBUG', 'SLEEP', '0'],
  ['SHUTDOWN', 'NOSAVE'],
  ['SAVE'],
  ['BGREWRITEAOF'],
  ['MODULE', 'LIST'],
  ['COMMAND'],
  ['SLOWLOG', 'GET'],
  ['LATENCY', 'LATEST'],
  ['MEMORY', 'USAGE', KEYS.inbox],
  ['REPLICAOF', 'NO', 'ONE'],
  ['FAILOVER'],
  ['CLUSTER', 'INFO'],
  ['WAIT', '1', '1'],
  // The stream.
  ['PSYNC', '?', '-1'],
  ['SYNC'],
  ['REPLCONF', 'capa', 'eof'],
  ['MONITOR'],
  // Accounts and other clients.
  ['ACL', 'LIST'],
  ['ACL', 'WHOAMI'],
  ['ACL', 'SETUSER', 'tandem-peer', '+@all'],
  ['CLIENT', 'KILL', 'TYPE', 'normal'],
  ['CLIENT', 'LIST'],
  ['CLIENT', 'PAUSE', '1'],
  ['CLIENT', 'NO-EVICT', 'on'],
  // Messages.
  ['SUBSCRIBE', 'news'],
  ['PSUBSCRIBE', '*'],
  ['PUBLISH', 'news', 'x'],
  ['SPUBLISH', 'news', 'x'],
  ['PUBSUB', 'CHANNELS'],
  // Scripts and transactions.
  ['SCRIPT', 'FLUSH'],
  ['SCRIPT', 'KILL'],
  ['SCRIPT', 'LOAD', 'return 1'],
  ['FUNCTION', 'FLUSH'],
  ['FUNCTION', 'LOAD', "#!lua name=l\nredis.register_function('f', function() end)"],
  ['FCALL', 'f', '0'],
  ['MULTI'],
  ['WATCH', KEYS.inbox],
  // What is in the inbox is not to be read or taken back.
  ['LRANGE', KEYS.inbox, '0', '-1'],
  ['LPOP', KEYS.inbox],
  ['DEL', KEYS.inbox],
];

const SCRIPTS: readonly (readonly [string, string])[] = [
  ["a user's key, read", "return redis.call('GET', 'users')"],
  ["a user's key, written", "return redis.call('SET', 'users', 'y')"],
  ["a user's key, by a command it has", "return redis.call('HSET', 'other', 'f', 'v')"],
  ["a user's key, read by a command it has", "return redis.call('LLEN', 'users')"],
  ['the keys', "return redis.call('KEYS', '*')"],
  ['a flush', "return redis.call('FLUSHALL')"],
  ['another database', "return redis.call('SELECT', 1)"],
  ['a message', "return redis.call('PUBLISH', 'news', 'x')"],
  ['the settings', "return redis.call('CONFIG', 'GET', '*')"],
  ['the accounts', "return redis.call('ACL', 'SETUSER', 'tandem-peer', '+@all')"],
  ['a key removed', `return redis.call('DEL', '${KEYS.inbox}')`],
  ['an expiry', `return redis.call('EXPIRE', '${KEYS.inbox}', 1)`],
];

const NO_RIGHT =
  /^NOPERM|No permission|can't run this command|ACL failure|not allowed from script|can't access at least one of the keys/;

describe('with the rights that the documents give it the account of the peer', () => {
  test('has exactly two lines there', () => {
    expect(RULES).toHaveLength(2);
  });

  test.each(DENIED.map((words) => ({ words, what: words.join(' ').slice(0, 60) })))(
    'may not: $what',
    async ({ words: [name, ...args] }) => {
      await expect(hostile.call(name, ...args)).rejects.toThrow(NO_RIGHT);
    },
  );

  test.each(SCRIPTS)('may not in a script: %s', async (_, script) => {
    await expect(hostile.eval(script, 0)).rejects.toThrow(NO_RIGHT);
    // Caught by the script itself, it has no effect either.
    await expect(hostile.eval(script.replace('call', 'pcall'), 0)).rejects.toThrow(NO_RIGHT);
  });

  test.each(LOCAL_ONLY.map((key) => ({ key })))("may not touch the site's own key $key", async ({ key }) => {
    const before = await pair.west.redis.dump(key);
    for (const words of [
      ['HSET', key, 'f', 'v'],
      ['HGET', key, 'f'],
      ['HMGET', key, 'f'],
      ['HDEL', key, 'f'],
      ['RPUSH', key, 'v'],
      ['LLEN', key],
      ['EVAL', 'return 1', '1', key],
      ['EVAL', `return redis.call('RPUSH', '${key}', 'v')`, '0'],
    ] as const)
      await expect(hostile.call(words[0], ...words.slice(1)), words.join(' ')).rejects.toThrow(NO_RIGHT);
    if (before === null) expect(await pair.west.redis.exists(key)).toBe(0);
  });

  test('has changed nothing by all that, and what it is for goes on', async () => {
    const { west } = pair;
    expect(await west.redis.get('users')).toBe('x');
    expect(await west.redis.exists('other', 'stolen')).toBe(0);
    await expectDelivery();
    for (const site of [pair.east, west]) {
      const { outbound, inbound, gap } = await statusOf(site);
      expect([outbound.state, inbound.state, gap]).toEqual(['caught-up', 'caught-up', false]);
    }
  });
});

const SET = ['SET', 'planted', '1'];
const plain = (first: number, epoch: number, changed: object = {}): Buffer =>
  batchOf(first, [SET], { pair: 'test', origin: 'east', epoch, ...changed });

/** What may be pushed into the inbox past `deliver-batch.lua`; `first` and `epoch` are those of the batch that is due. */
const MALFORMED: readonly { what: string; reason: string; make: (first: number, epoch: number) => Buffer }[] =
  [
    { what: 'nothing', reason: 'BATCH_INVALID', make: () => Buffer.alloc(0) },
    { what: 'text', reason: 'BATCH_INVALID', make: () => Buffer.from('SET planted 1') },
    { what: 'a batch cut short', reason: 'BATCH_INVALID', make: (...at) => plain(...at).subarray(0, -3) },
    { what: 'a header cut short', reason: 'BATCH_INVALID', make: (...at) => plain(...at).subarray(0, 9) },
    {
      what: 'bytes behind a batch',
      reason: 'BATCH_INVALID',
      make: (...at) => Buffer.concat([plain(...at), Buffer.from('x')]),
    },
    {
      what: 'a batch of another version',
      reason: 'BATCH_VERSION',
      make: (...at) => Buffer.concat([Buffer.from([0x9d, 9]), plain(...at).subarray(2)]),
    },
    {
      what: 'a batch whose payload says that it has 4 GB',
      reason: 'BATCH_INVALID',
      make: (...at) => {
        const bytes = Buffer.from(plain(...at));
        bytes.writeUInt32BE(0xffffffff, bytes.lastIndexOf(0xc6) + 1);
        return bytes;
      },
    },
    {
      what: 'a command that says that it has 4 GB',
      reason: 'BATCH_INVALID',
      make: (...at) => plain(...at, { payload: Buffer.from('*1\r\n$4294967295\r\nx'), commands: 1 }),
    },
    {
      what: 'a batch of another pair',
      reason: 'WRONG_PAIR',
      make: (...at) => plain(...at, { pair: 'other' }),
    },
    {
      what: 'a batch of another site',
      reason: 'WRONG_PAIR',
      make: (...at) => plain(...at, { origin: 'north' }),
    },
    {
      what: "a batch that writes the site's own token",
      reason: 'BATCH_INVALID',
      make: (first, epoch) =>
        batchOf(first, [SET, ['SET', KEYS.fence, '9']], { pair: 'test', origin: 'east', epoch }),
    },
    {
      what: 'a value made by commands on another key',
      reason: 'BATCH_INVALID',
      make: (first, epoch) => {
        const made = encodeCommand(['SET', 'other', 'x']);
        const state = ['TANDEM.STATE', '0', 'users', '0', '0', 'east', '0', '-1', made, 'elements'];
        return batchOf(first, [SET, state], { pair: 'test', origin: 'east', epoch });
      },
    },
    {
      what: 'a value in parts that is of no type',
      reason: 'BATCH_INVALID',
      make: (first, epoch) => {
        const state = ['TANDEM.STATE', '0', 'users', '0', '0', 'east', '0', '-1', 'a-1 1 stream 1', 'parts'];
        return batchOf(first, [SET, state], { pair: 'test', origin: 'east', epoch });
      },
    },
    {
      what: "a part of a value for one of Tandem's own keys",
      reason: 'BATCH_INVALID',
      make: (first, epoch) => {
        const part = ['TANDEM.PART', '0', KEYS.fence, 'a-1', '1', 'string', '9'];
        return batchOf(first, [SET, part], { pair: 'test', origin: 'east', epoch });
      },
    },
    {
      what: 'a batch that opens the door to the server',
      reason: 'BATCH_INVALID',
      make: (first, epoch) =>
        batchOf(first, [SET, ['EXEC'], ['ACL', 'SETUSER', 'tandem-peer', '+@all']], {
          pair: 'test',
          origin: 'east',
          epoch,
        }),
    },
  ];

async function dueNext(): Promise<[first: number, epoch: number]> {
  const [epoch, n] = await hostile.hmget(KEYS.received, 'epoch', 'n');
  return [Number(n) + 1, Number(epoch)];
}

describe('of what it pushes into the inbox', () => {
  test.each(MALFORMED)(
    '$what is refused and said, nothing of it is applied, and what follows waits',
    async ({ reason, make }) => {
      const { east, west } = pair;
      const from = west.log.length;
      await hostile.rpush(KEYS.inbox, make(...(await dueNext())));
      const line = await west.waitForLog("application of the peer's changes has stopped", { from });
      expect(line['reason']).toBe(reason);
      await until('the status to say so', async () => (await statusOf(west)).inbound.state === 'stopped');
      expect(await west.redis.exists('planted')).toBe(0);
      // The other direction goes on, and so does the process.
      await west.redis.incr('of west');
      const crossed = async (): Promise<boolean> =>
        (await east.redis.get('of west')) === (await west.redis.get('of west'));
      await until('a change of west to cross', crossed);
      await east.redis.incr('of east');
      expect(west.running).toBe(true);
      // What docs/reference/log-messages.md says is to be done.
      await west.kill('SIGTERM');
      await west.redis.del(KEYS.inbox);
      west.start();
      await expectDelivery();
      expect(await west.redis.exists('planted', KEYS.rejected)).toBe(0);
    },
  );

  test.each([
    ['an epoch that is over', (first: number, epoch: number) => plain(first, epoch - 1)],
    ['a sequence that was applied', (first: number, epoch: number) => plain(first - 1, epoch)],
  ])('a batch of %s is passed over, and leaves nothing behind', async (_, make) => {
    const { west } = pair;
    await hostile.rpush(KEYS.inbox, make(...(await dueNext())));
    await expectDelivery();
    expect(await west.redis.exists('planted', KEYS.rejected)).toBe(0);
    for (const site of [pair.east, west]) expect((await statusOf(site)).gap).toBe(false);
  });
});
