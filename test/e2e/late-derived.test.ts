/**
 * Commands that make keys of keys, and local writes that slip in while they are on their way into the server: on what they make, or on
 * what they make it of. All cases at once, each on keys of its own; both sites must end equal.
 */

import { afterAll, beforeAll, expect, test } from 'vitest';
import { expectEqual } from '../support/equal.js';
import { type Pair, type Site, startPair } from '../support/pair.js';
import { quiet } from '../support/quiet.js';
import { within } from '../support/wait.js';
import { ownKeys, QUICK, statusOf } from './observe.js';
import { StepProxy } from './step-proxy.js';

type Words = readonly [string, ...string[]];

const KEYS = ownKeys();
const HOLD_DEADLINE_MS = 10_000;
const FAR = '4102444800000';

/** What both sites have before: `s` and `t` and `o` of each case, and what only some commands take. `@` stands for the case. */
const BEFORE: readonly Words[] = [
  ['SADD', 's@', 'a', 'b'],
  ['SADD', 't@', 'b', 'c'],
  ['SADD', 'o@', 'b'],
  ['SET', 'bits@', 'x'],
  ['PFADD', 'seen@', 'x'],
  ['GEOADD', 'map@', '1', '1', 'here'],
  ['ZADD', 'z@', '1', 'm'],
];
const DERIVED: readonly Words[] = [
  ['RENAME', 's@', 't@'],
  ['RENAME', 't@', 'new@'],
  ['RENAMENX', 's@', 'new@'],
  ['COPY', 's@', 't@', 'REPLACE'],
  ['SUNIONSTORE', 't@', 's@', 'o@'],
  ['SINTERSTORE', 't@', 's@', 'none@'],
  ['SDIFFSTORE', 's@', 's@', 't@'],
  ['SORT', 's@', 'ALPHA', 'STORE', 't@'],
  ['SORT', 'none@', 'STORE', 't@'],
  ['ZUNIONSTORE', 't@', '2', 's@', 'z@'],
  ['ZRANGESTORE', 't@', 'z@', '0', '-1'],
  ['ZRANGESTORE', 't@', 'z@', '5', '9'],
  ['GEOSEARCHSTORE', 't@', 'map@', 'FROMLONLAT', '1', '1', 'BYRADIUS', '9', 'km'],
  ['GEORADIUS', 'map@', '50', '50', '1', 'm', 'STORE', 't@'],
  ['BITOP', 'NOT', 't@', 'bits@'],
  ['BITOP', 'AND', 't@', 'none@', 'none@'],
  ['PFMERGE', 'new@', 'seen@'],
  ['SMOVE', 's@', 't@', 'a'],
];
const LATE: readonly Words[] = [
  ['SET', 't@', 'late'],
  ['SADD', 't@', 'late'],
  ['SREM', 't@', 'b', 'c'],
  ['DEL', 't@'],
  ['PEXPIREAT', 't@', FAR],
  ['RENAME', 't@', 'u@'],
  ['COPY', 'o@', 't@', 'REPLACE'],
  ['SINTERSTORE', 't@', 'none@', 'o@'],
  ['SADD', 's@', 'late'],
  ['DEL', 's@'],
  ['PEXPIREAT', 's@', FAR],
  ['RENAME', 's@', 'u@'],
  ['SET', 'new@', 'late'],
  ['DEL', 'z@', 'map@', 'bits@', 'seen@'],
];
const CASES = DERIVED.flatMap((derived) => LATE.map((late) => ({ derived, late })));

let pair: Pair;
const proxies = {} as Record<'east' | 'west', StepProxy>;

beforeAll(async () => {
  for (const name of ['east', 'west'] as const) proxies[name] = await StepProxy.start();
  pair = await startPair({
    env: { ...QUICK, TANDEM_LEASE_MS: '60000' },
    east: { localUrl: (server) => proxies.east.urlTo(server) },
    west: { localUrl: (server) => proxies.west.urlTo(server) },
  });
});

afterAll(async () => {
  await pair?.close();
  await Promise.all(Object.values(proxies).map((proxy) => proxy.close()));
});

function isRun(args: readonly Buffer[]): boolean {
  return String(args[0]) === 'WATCH' && String(args[1]) === KEYS.fence;
}

/** One transaction: so all of it is in one batch. What does not fit what is there has no effect. */
async function runAll({ redis }: Site, commands: readonly Words[]): Promise<void> {
  await redis.multi(commands.map((words) => ['call', ...words])).exec();
}

function each(prefix: string, of: (one: (typeof CASES)[number]) => readonly Words[]): Words[] {
  const named = (words: Words, at: number): Words =>
    words.map((word) => word.replace('@', `:${prefix}${at}`)) as unknown as Words;
  return CASES.flatMap((one, at) => of(one).map((words) => named(words, at)));
}

async function decidedAbout(site: Site, write: () => Promise<unknown>): Promise<() => void> {
  const held = proxies[site.name as 'east' | 'west'].hold(isRun);
  await write();
  return within(`a transaction to be held at ${site.name}\n${site.tail()}`, HOLD_DEADLINE_MS, held);
}

/** At each of these sites the cases' writes slip in before those of the other one are applied. */
async function slipIn(at: readonly ('east' | 'west')[]): Promise<void> {
  const prefix = `${at.join()}:`;
  await runAll(
    pair.east,
    each(prefix, () => BEFORE),
  );
  await quiet(pair);
  const letGo = await Promise.all(
    at.map((name) => {
      const derived = each(prefix, (one) => [one.derived]);
      return decidedAbout(pair[name], () => runAll(pair[name === 'east' ? 'west' : 'east'], derived));
    }),
  );
  for (const name of at)
    await runAll(
      pair[name],
      each(prefix, ({ late }) => [late]),
    );
  for (const goOn of letGo) goOn();
  await quiet(pair, { rounds: 5 });
  await expectEqual(pair.east.redis, pair.west.redis);
}

test.each(['east', 'west'] as const)(
  'what slips in at %s before they are applied is settled',
  async (name) => {
    const { late } = await statusOf(pair[name]);
    await slipIn([name]);
    expect((await statusOf(pair[name])).late).toBeGreaterThan(late);
  },
);

test('what slips in at both sites, which have run them themselves, is settled', () =>
  slipIn(['east', 'west']));
