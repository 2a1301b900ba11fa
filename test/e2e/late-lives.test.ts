/**
 * Keys with a deadline at a site that is behind: its process was away, or what it has decided is long on its way into its server.
 * What comes then is of lives that are over, or that end before it is carried out: no key stands there without its deadline for that.
 * The other site's server does not say by itself that a life has ended.
 */

import type { Redis } from 'ioredis';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { expectEqual } from '../support/equal.js';
import { type Pair, type Site, startPair } from '../support/pair.js';
import { quiet } from '../support/quiet.js';
import { until, within } from '../support/wait.js';
import { LONG_BACKLOG, ownKeys, QUICK } from './observe.js';
import { StepProxy, type Step } from './step-proxy.js';

const KEYS = ownKeys();
const HOLD_DEADLINE_MS = 10_000;

type Words = readonly [string, ...string[]];

/** Writes that build on what is there, each on a key of its own. */
const BUILDS: readonly Words[] = [
  ['INCR', 'live:count'],
  ['APPEND', 'live:text', 'x'],
  ['SETRANGE', 'live:range', '3', 'x'],
  ['HINCRBY', 'live:hash', 'f', '1'],
  ['SADD', 'live:set', 'm'],
  ['ZINCRBY', 'live:sorted set', '1', 'm'],
  ['RPUSH', 'live:list', 'e'],
  ['XADD', 'live:stream', '*', 'f', 'v'],
  ['PFADD', 'live:observations', 'o'],
];
/** The same once more, so that each has an effect. */
const AGAIN: readonly Words[] = [
  ...BUILDS.filter(([name]) => name !== 'SADD' && name !== 'PFADD' && name !== 'SETRANGE'),
  ['SADD', 'live:set', 'n'],
  ['PFADD', 'live:observations', 'p'],
  ['SETRANGE', 'live:range', '5', 'y'],
  ['SET', 'live:kept', 'again', 'KEEPTTL'],
];

let pair: Pair;
let proxy: StepProxy;

beforeAll(async () => {
  proxy = await StepProxy.start();
  pair = await startPair({
    server: LONG_BACKLOG,
    env: { ...QUICK, TANDEM_LEASE_MS: '60000' },
    west: { localUrl: (server) => proxy.urlTo(server) },
  });
  await pair.east.redis.call('DEBUG', 'SET-ACTIVE-EXPIRE', '0');
});

afterEach(async () => {
  proxy.disarm();
  for (const { redis } of [pair.east, pair.west]) {
    const left = await redis.keys('live:*');
    if (left.length > 0) await redis.del(...left);
  }
  await quiet(pair);
});

afterAll(async () => {
  await pair.close();
  await proxy.close();
});

/** East makes all the keys, with this deadline, in ms since 1970. */
async function begin(client: Redis, deadline: number): Promise<void> {
  for (const [name, ...rest] of BUILDS)
    await client
      .multi()
      .call(name, ...rest)
      .pexpireat(rest[0]!, deadline)
      .exec();
  await client.set('live:kept', 'first', 'PXAT', deadline);
}

async function writeAll(client: Redis, writes: readonly Words[]): Promise<void> {
  for (const [name, ...rest] of writes) await client.call(name, ...rest);
}

const WITHOUT_DEADLINE = `local found = {}
  for _, key in ipairs(redis.call('KEYS', 'live:*')) do
    if redis.call('PTTL', key) == -1 then found[#found + 1] = key end
  end
  return found`;

/** The keys that stand there without a deadline at any time until both sites are quiet. */
async function endlessAt({ redis }: Site): Promise<string[]> {
  const found = new Set<string>();
  const over = new AbortController();
  const look = async (): Promise<void> => {
    while (!over.signal.aborted)
      for (const key of (await redis.eval(WITHOUT_DEADLINE, 0)) as string[]) found.add(key);
  };
  const becomeQuiet = quiet(pair).finally(() => over.abort());
  await Promise.all([becomeQuiet, look()]);
  return [...found];
}

const passed = (deadline: number): Promise<void> => sleep(deadline + 20 - Date.now());

test('a life that is begun, built on and over before it arrives leaves nothing', async () => {
  const { east, west } = pair;
  await west.kill('SIGTERM');
  const deadline = Date.now() + 3000;
  await begin(east.redis, deadline);
  await writeAll(east.redis, AGAIN);
  await passed(deadline);
  west.start();
  expect(await endlessAt(west)).toEqual([]);
});

test('a life that is over when it arrives leaves nothing, where the end that comes before it was one here as well', async () => {
  const { east, west } = pair;
  const first = Date.now() + 500;
  await begin(east.redis, first);
  await quiet(pair);
  west.pause();
  await passed(first);
  // Long enough that what is built on it comes before its end, also on a busy machine.
  const second = Date.now() + 3000;
  await begin(east.redis, second);
  // A batch of its own.
  const begun = await east.redis.hget(KEYS.state, 'next');
  await until(
    'the next life to be captured',
    async () => (await east.redis.hget(KEYS.state, 'next')) !== begun,
  );
  await writeAll(east.redis, AGAIN);
  await passed(second);
  west.resume();
  expect(await endlessAt(west)).toEqual([]);
});

test.each([
  ['removed', []],
  ['removed and made again', BUILDS],
])(
  'what the other site writes to keys that were %s while the process was away keeps its deadline',
  async (_, made) => {
    const { east, west } = pair;
    await begin(east.redis, Date.now() + 3_600_000);
    await quiet(pair);
    await west.kill('SIGTERM');
    // Who comes back finds keys without a deadline, or none.
    await west.redis.del(...BUILDS.map(([, key]) => key!));
    await writeAll(west.redis, made);
    await writeAll(east.redis, AGAIN);
    west.start();
    await quiet(pair);
    expect(await east.redis.eval(WITHOUT_DEADLINE, 0)).toEqual([]);
    await expectEqual(east.redis, west.redis);
  },
);

test('a new life arrives, where the one before was removed before it was given its deadline', async () => {
  const { east, west } = pair;
  await writeAll(east.redis, BUILDS);
  await quiet(pair);
  await west.kill('SIGTERM');
  const names = BUILDS.map(([, key]) => key!);
  await west.redis.del(...names);
  const deadline = Date.now() + 300;
  for (const key of names) await east.redis.pexpireat(key, deadline);
  await passed(deadline);
  west.start();
  await quiet(pair);
  await writeAll(east.redis, BUILDS);
  await quiet(pair);
  for (const { redis } of [east, west]) expect(await redis.exists(...names)).toBe(names.length);
  await expectEqual(east.redis, west.redis);
});

/** Moments at which a run is held on its way: before its guard, and behind it. */
const HELD: Readonly<Record<string, Step>> = {
  'before the check of its process': (args) => is(args, 'WATCH', KEYS.fence),
  'behind the check of its process': (args) => is(args, 'HSET', KEYS.applied) && String(args[2]) === 'epoch',
};

function is(args: readonly Buffer[], name: string, key: string): boolean {
  return String(args[0]).toUpperCase() === name && String(args[1]) === key;
}

describe.each(Object.entries(HELD))('a run that is held %s', (_, step) => {
  test('does not outlive the lives it builds on', async () => {
    const { east, west } = pair;
    const deadline = Date.now() + 1500;
    await begin(east.redis, deadline);
    await quiet(pair);
    const held = proxy.hold(step);
    await writeAll(east.redis, AGAIN);
    const letGo = await within('a run to be held', HOLD_DEADLINE_MS, held);
    await passed(deadline);
    letGo();
    expect(await endlessAt(west)).toEqual([]);
  });

  test('does not outlive a life that the run before it begins', async () => {
    const { east, west } = pair;
    const held = proxy.hold(step);
    const deadline = Date.now() + 1500;
    await east.redis.multi().incr('live:count').pexpireat('live:count', deadline).exec();
    const letGo = await within('a run to be held', HOLD_DEADLINE_MS, held);
    // It is decided while the first one is on its way.
    await east.redis.incr('live:count');
    await until('it to be delivered', async () => (await west.redis.llen(KEYS.inbox)) === 2);
    await passed(deadline);
    letGo();
    expect(await endlessAt(west)).toEqual([]);
  });
});
