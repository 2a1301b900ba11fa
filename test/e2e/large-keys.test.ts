import { connect } from 'node:net';
import type { Redis } from 'ioredis';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { expectEqual } from '../support/equal.js';
import { type Pair, type Site, startPair } from '../support/pair.js';
import { quiet } from '../support/quiet.js';
import { until } from '../support/wait.js';
import { verifyAt } from './long-jobs.js';
import { LONG_BACKLOG, QUICK } from './observe.js';

type Words = readonly [string, ...(string | number | Buffer)[]];

const ELEMENTS = 6000;
const FAR = 1_900_000_000_000;
/** Slow enough that a key can be written between two parts of its digest. */
const BYTES_PER_SECOND = 1_000_000;
const LONG = { timeout: 200_000 };

let pair: Pair;
let east: Site;
let west: Site;

beforeAll(async () => {
  const env = { ...QUICK, TANDEM_SYNC_BYTES_PER_SECOND: String(BYTES_PER_SECOND) };
  pair = await startPair({ server: LONG_BACKLOG, env });
  ({ east, west } = pair);
});
afterAll(() => pair.close());
beforeEach(async () => {
  for (const { redis } of [east, west])
    for (const key of await redis.keys('large:*')) await unseen(redis, ['DEL', key]);
  await quiet(pair);
});

const elements = (word: string): string[] => Array.from({ length: ELEMENTS }, (_, at) => `${word} ${at}`);

/** A value of each type that is too large for one step, and a write of one of its elements. */
const VALUES: Readonly<Record<string, { make: (key: string) => Words[]; change: (key: string) => Words }>> = {
  string: {
    make: (key) => [['SET', key, Buffer.alloc(1_100_000, 'text')]],
    change: (key) => ['SETRANGE', key, 1_000_000, 'x'],
  },
  list: {
    make: (key) => [['RPUSH', key, ...elements('element')]],
    change: (key) => ['LSET', key, ELEMENTS - 10, 'another'],
  },
  set: {
    make: (key) => [['SADD', key, ...elements('member')]],
    change: (key) => ['SREM', key, 'member 77'],
  },
  hash: {
    make: (key) => [['HSET', key, ...elements('field').flatMap((field, at) => [field, at])]],
    change: (key) => ['HSET', key, 'field 77', 'another'],
  },
  zset: {
    make: (key) => [['ZADD', key, ...elements('member').flatMap((member, at) => [at / 4, member])]],
    change: (key) => ['ZADD', key, 77.5, 'member 77'],
  },
  stream: {
    make: (key) => [
      ...elements('entry').map((entry, at): Words => ['XADD', key, `${at + 1}-1`, 'f', entry]),
      ['XGROUP', 'CREATE', key, 'group', '9-0'],
    ],
    change: (key) => ['XDEL', key, '77-1'],
  },
};

async function run(redis: Redis, commands: readonly Words[]): Promise<void> {
  const pipeline = redis.pipeline();
  for (const [name, ...args] of commands) pipeline.call(name, ...args);
  for (const [error] of (await pipeline.exec())!) if (error) throw error;
}

/** What the other site never hears of. */
async function unseen(redis: Redis, words: Words): Promise<void> {
  await redis.eval('redis.set_repl(redis.REPL_NONE) return redis.call(unpack(ARGV))', 0, ...words);
}

async function fill(): Promise<string[]> {
  for (const [type, { make }] of Object.entries(VALUES)) {
    await run(east.redis, make(`large:${type}`));
    await run(west.redis, [...make(`large:${type}:expiring`), ['PEXPIREAT', `large:${type}:expiring`, FAR]]);
  }
  await quiet(pair, { deadlineMs: 60_000 });
  return Object.keys(VALUES).flatMap((type) => [`large:${type}`, `large:${type}:expiring`]);
}

/** The commands on large keys that a server runs, those of scripts as well. (The client's own `monitor` takes early lines for replies.) */
async function hear(site: Site): Promise<{ commands: () => string[][]; end: () => void }> {
  const { hostname, port } = new URL(site.server.url);
  const socket = connect(Number(port), hostname);
  let text = '';
  socket.on('data', (chunk) => (text += chunk.toString('latin1')));
  socket.write('MONITOR\r\n');
  await until('the server to tell', () => text.startsWith('+OK'));
  const worded = (line: string): string[] =>
    [...line.matchAll(/"((?:[^"\\]|\\.)*)"/g)].map(([, word = ''], at) =>
      at === 0 ? word.toLowerCase() : word,
    );
  const isOnLarge = ([, ...args]: string[]): boolean =>
    args.slice(0, 2).some((one) => one.startsWith('large:'));
  return {
    commands: () => text.split('\r\n').map(worded).filter(isOnLarge),
    end: () => socket.destroy(),
  };
}

async function calls(site: Site, command: string): Promise<number> {
  const stats = await site.redis.info('commandstats');
  return Number(new RegExp(`^cmdstat_${command}:calls=(\\d+)`, 'm').exec(stats)?.[1] ?? 0);
}

test(
  'large values of all types are found equal from either side, and none of them is read in one step',
  LONG,
  async () => {
    const keys = await fill();
    const heard = await Promise.all([hear(east), hear(west)]);
    for (const site of [east, west]) {
      const { code, result } = await verifyAt(pair, site, '--pattern', 'large:*');
      expect(result).toMatchObject({ compared: keys.length, equal: keys.length, differing: 0, undecided: 0 });
      expect(code).toBe(0);
    }
    for (const { commands: all, end } of heard) {
      end();
      const commands = all();
      for (const name of ['sscan', 'hscan', 'zrange', 'lrange', 'getrange', 'xrange'])
        expect(commands.filter((words) => words[0] === name).length, name).toBeGreaterThan(8);
      const isWhole = ([name, , from, to]: string[]): boolean =>
        ['get', 'smembers', 'hgetall', 'dump'].includes(name!) ||
        (from === '0' && to === '-1') ||
        to === 'FULL';
      expect(commands.filter(isWhole)).toEqual([]);
    }
  },
);

test(
  'one element that differs is found in large values of all types, from either side, and mended',
  LONG,
  async () => {
    await fill();
    const planted: string[] = [];
    for (const [at, [type, { change }]] of Object.entries(VALUES).entries()) {
      await unseen([east, west][at % 2]!.redis, change(`large:${type}`));
      planted.push(`value large:${type}`);
    }
    await unseen(west.redis, ['DEL', 'large:set:expiring']);
    await unseen(east.redis, ['DEL', 'large:zset:expiring']);
    await unseen(east.redis, ['PEXPIREAT', 'large:list:expiring', FAR + 1]);
    await unseen(west.redis, ['DEL', 'large:hash:expiring']);
    await unseen(west.redis, ['SADD', 'large:hash:expiring', 'a']);
    await unseen(east.redis, ['DEL', 'large:stream:expiring']);
    await unseen(east.redis, ['XADD', 'large:stream:expiring', '1-1', 'f', 'v']);
    await unseen(east.redis, ['PEXPIREAT', 'large:stream:expiring', FAR]);
    planted.push(
      'missing-west large:set:expiring',
      'missing-east large:zset:expiring',
      'expiry large:list:expiring',
      'type large:hash:expiring',
      'value large:stream:expiring',
    );
    for (const site of [east, west]) {
      const { result } = await verifyAt(pair, site, '--pattern', 'large:*');
      expect(result.differences.map(({ kind, key }) => `${kind} ${key}`).toSorted()).toEqual(
        planted.toSorted(),
      );
      expect(result).toMatchObject({ differing: planted.length, undecided: 0 });
    }
    const { result } = await verifyAt(pair, west, '--pattern', 'large:*', '--repair', '--prefer', 'east');
    expect(result).toMatchObject({ differing: planted.length, repaired: planted.length, undecided: 0 });
    await quiet(pair);
    await expectEqual(east.redis, west.redis);
  },
);

test.each([
  ['east', 'east'],
  ['east', 'west'],
  ['west', 'east'],
  ['west', 'west'],
] as const)(
  'a large value that is written at %s while %s compares it is no difference, and one that it hides is found',
  LONG,
  async (writes, compares) => {
    const [writer, asker] = [pair[writes], pair[compares]];
    const { make } = VALUES['set']!;
    await run(east.redis, [...make('large:equal'), ...make('large:different')]);
    await quiet(pair);
    await unseen(west.redis, ['SREM', 'large:different', 'member 3000']);
    for (const { redis } of [east, west]) await redis.config('RESETSTAT');
    const verifying = verifyAt(pair, asker, '--pattern', 'large:*');
    // Between the first and the last part of a digest, which has at least six: members that one part may see, and another one not.
    await until('the digests to have begun', async () => (await calls(writer, 'sscan')) >= 20);
    for (const key of ['large:equal', 'large:different']) {
      await writer.redis.srem(key, ...elements('member').filter((_, at) => at % 10 === 5));
      await writer.redis.sadd(key, ...elements('more').slice(0, 300));
    }
    const { result } = await verifying;
    expect(result.differences.map(({ key, kind }) => `${kind} ${key}`)).toEqual(['value large:different']);
    expect(result).toMatchObject({ compared: 2, equal: 1, undecided: 0 });
  },
);

test('large values that are written all the time cannot be told, and are left alone', LONG, async () => {
  const { make } = VALUES['zset']!;
  await run(east.redis, [
    ...make('large:busy'),
    ...make('large:moving'),
    ...VALUES['hash']!.make('large:still'),
  ]);
  await quiet(pair);
  await unseen(east.redis, ['ZREM', 'large:busy', 'member 3']);
  await unseen(west.redis, ['HDEL', 'large:still', 'field 3']);
  const ended = new AbortController();
  const writing = (async () => {
    for (let score = 0; !ended.signal.aborted; score++)
      await west.redis
        .multi()
        .zadd('large:busy', score % ELEMENTS, 'hot')
        .zadd('large:moving', score % ELEMENTS, 'hot')
        .exec();
  })();
  const { result } = await verifyAt(pair, east, '--pattern', 'large:*', '--repair', '--prefer', 'west');
  ended.abort();
  await writing;
  expect(result).toMatchObject({ compared: 3, differing: 1, repaired: 1, undecided: 2 });
  expect(result.differences).toMatchObject([{ key: 'large:still' }]);
  await quiet(pair);
  const { result: after } = await verifyAt(pair, east, '--pattern', 'large:*');
  expect(after).toMatchObject({ compared: 3, differing: 1, undecided: 0, byKind: { value: 1 } });
  expect(after.differences).toMatchObject([{ key: 'large:busy' }]);
});

test('fields that end, and other keys, do not make a large hash differ', LONG, async (context) => {
  const known = (await east.redis.call('COMMAND', 'INFO', 'HPEXPIRE')) as unknown[];
  if (!known[0]) return context.skip();
  await run(east.redis, [
    ...VALUES['hash']!.make('large:ending'),
    ['HPEXPIRE', 'large:ending', 3000, 'FIELDS', 2, 'field 5', 'field 5005'],
    ['HPEXPIREAT', 'large:ending', FAR, 'FIELDS', 1, 'field 7'],
  ]);
  await quiet(pair);
  const { result } = await verifyAt(pair, east, '--pattern', 'large:*');
  expect(result).toMatchObject({ compared: 1, differing: 0 });
  await until('the fields to be gone', async () => (await west.redis.hlen('large:ending')) === ELEMENTS - 2);
  await quiet(pair);
  const { result: after } = await verifyAt(pair, west, '--pattern', 'large:*');
  expect(after).toMatchObject({ compared: 1, equal: 1, differing: 0, undecided: 0 });
});
