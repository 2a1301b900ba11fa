import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type { Redis } from 'ioredis';
import { expectEqual } from '../support/equal.js';
import { type Pair, startPair } from '../support/pair.js';
import { quiet } from '../support/quiet.js';
import { until, within } from '../support/wait.js';
import { QUICK, expectNothingWaits, ownKeys } from './observe.js';
import { StepProxy, type Step } from './step-proxy.js';

/**
 * A local `SET` slips in between the decision about a `SET` of the peer's and its transaction, which is held on its way. The later one
 * is put back here by a transaction of its own, and that is held as well: what happens meanwhile happens on a value that is to go.
 */

const KEYS = ownKeys();
const HOLD_DEADLINE_MS = 10_000;
const ASKING = 'asking for the state';

type Words = readonly [string, ...(string | number)[]];

interface Case {
  readonly name: string;
  /** At east, where the value is to be put back. */
  readonly meanwhile?: readonly Words[];
  /** At the peer. */
  readonly there?: Words;
  readonly isKilled?: boolean;
  readonly expected: string | null;
}

const CASES: readonly Case[] = [
  { name: 'nothing', expected: 'late' },
  { name: 'a further SET', meanwhile: [['SET', 'k', 'more']], expected: 'more' },
  { name: 'a removal', meanwhile: [['DEL', 'k']], expected: null },
  { name: 'an addition to the value', meanwhile: [['APPEND', 'k', '+']], expected: 'late+' },
  {
    name: 'a further SET, and an addition to it',
    meanwhile: [
      ['SET', 'k', 'more'],
      ['APPEND', 'k', '+'],
    ],
    expected: 'more+',
  },
  { name: 'a copy of the value', meanwhile: [['COPY', 'k', 'copied', 'REPLACE']], expected: 'late' },
  {
    name: 'a transaction that adds to the value, and keeps it elsewhere',
    meanwhile: [
      [
        'EVAL',
        "redis.call('APPEND', KEYS[1], '+') redis.call('SET', KEYS[2], redis.call('GET', KEYS[1]))",
        2,
        'k',
        'copied',
      ],
    ],
    expected: 'late+',
  },
  { name: 'a deadline', meanwhile: [['PEXPIRE', 'k', 1_000_000]], expected: 'late' },
  { name: 'a flush', meanwhile: [['FLUSHALL']], expected: null },
  { name: 'a later SET of the peer', there: ['SET', 'k', 'newest'], expected: 'newest' },
  { name: 'an addition of the peer', there: ['APPEND', 'k', '+'], expected: 'late+' },
  { name: 'the end of the process', isKilled: true, expected: 'late' },
];

let pair: Pair;
let proxy: StepProxy;

beforeAll(async () => {
  proxy = await StepProxy.start();
  pair = await startPair({
    env: { ...QUICK, TANDEM_LOG_LEVEL: 'debug', TANDEM_FLUSH: 'replicate' },
    east: { localUrl: (server) => proxy.urlTo(server) },
  });
});

afterAll(async () => {
  await pair?.close();
  await proxy.close();
});

beforeEach(async () => {
  await pair.east.redis.del('k', 'copied');
  await quiet(pair);
});

test.each(CASES)('with $name meanwhile both sites come to the same, with the later value', async (one) => {
  const { east, west } = pair;
  const from = east.log.length;
  const letGo = await held(() => west.redis.set('k', 'theirs'));
  await east.redis.set('k', 'late');
  const letBack = await held(() => {
    letGo();
    return Promise.resolve();
  });
  for (const words of one.meanwhile ?? []) await run(east.redis, words);
  // There the late value has come before it.
  if (one.there) {
    await until('the late value to cross', async () => (await west.redis.get('k')) === 'late');
    await run(west.redis, one.there);
  }
  if (one.isKilled) {
    process.kill(east.pid!, 'SIGKILL');
    await east.ended();
    letBack();
    await east.redis.del(KEYS.lease);
    east.start();
  } else letBack();
  await until('both sites to hold the same', async () => {
    const found = await Promise.all([east.redis.get('k'), west.redis.get('k')]);
    return found.every((value) => value === one.expected);
  });
  await quiet(pair);
  expect([await east.redis.get('k'), await west.redis.get('k')]).toEqual([one.expected, one.expected]);
  await expectEqual(east.redis, west.redis);
  await expectNothingWaits(pair);
  // A value that nothing was done to need not come from the peer.
  if (one.name === 'nothing')
    expect(east.log.slice(from).filter(({ msg }) => msg?.includes(ASKING))).toEqual([]);
});

/** Resolves when a transaction is held on its way to east; gives what lets it go. */
async function held(act: () => Promise<unknown>): Promise<() => void> {
  const holding = proxy.hold(isRun);
  await act();
  return within(`a transaction to be held\n${pair.east.tail()}`, HOLD_DEADLINE_MS, holding);
}

const isRun: Step = (args) => args[0]?.toString() === 'WATCH' && args[1]?.toString() === KEYS.fence;

function run(redis: Redis, [name, ...args]: Words): Promise<unknown> {
  return redis.call(name, ...args);
}
