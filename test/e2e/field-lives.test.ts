/**
 * Fields with a deadline as people use them, at both sites at once, 80 ms apart, while the processes are killed: limiters, sessions
 * and locks by field. Afterwards none is left, and at no time does a field stand there without the deadline that every one of its
 * writers gave it. `TANDEM_TEST_SECONDS` makes it longer.
 */

import type { ChainableCommander, Redis } from 'ioredis';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, expect, test } from 'vitest';
import { expectEqual } from '../support/equal.js';
import { FailingWatches } from '../support/failing-watches.js';
import { Random } from '../support/model/random.js';
import { type Pair, type Site, startPair } from '../support/pair.js';
import { quiet } from '../support/quiet.js';
import { until } from '../support/wait.js';
import { endProcesses, Seen } from './lives-seen.js';
import { LONG_BACKLOG, QUICK } from './observe.js';

const SECONDS = Number(process.env['TANDEM_TEST_SECONDS'] ?? 10);
const SEED = Number(process.env['TANDEM_TEST_SEED'] ?? 1);
const WINDOW_MS = 700;
const USERS = 3;
/** A field that lives for ever, in hashes that never go as a whole. */
const LASTING = 'lasting';

let pair: Pair | undefined;

afterEach(async () => {
  await pair?.close();
  pair = undefined;
});

/** What a use of a field answers: what it has counted, if it counts. */
type Use = (client: Redis, at: { key: string; field: string }, token: string) => Promise<number | undefined>;

const LIMITER = `local count = redis.call('HINCRBY', KEYS[1], ARGV[1], 1)
  if count == 1 then redis.call('HPEXPIRE', KEYS[1], ARGV[2], 'FIELDS', 1, ARGV[1]) end
  return count`;
// HSETEX … FXX KEEPTTL alone takes a field for living that it gives no deadline: Valkey 9.1.2, in the millisecond of the deadline.
const CHANGE = `if redis.call('HPTTL', KEYS[1], 'FIELDS', 1, ARGV[1])[1] > 0 then
    return redis.call('HSETEX', KEYS[1], 'KEEPTTL', 'FIELDS', 1, ARGV[1], ARGV[2])
  end
  return redis.call('HSETEX', KEYS[1], 'PX', ARGV[3], 'FIELDS', 1, ARGV[1], ARGV[2])`;
const RELEASE = `if redis.call('HGET', KEYS[1], ARGV[1]) == ARGV[2] then return redis.call('HDEL', KEYS[1], ARGV[1]) end
  return 0`;

async function answered(transaction: ChainableCommander, at: number): Promise<unknown> {
  const replies = await transaction.exec();
  for (const [error] of replies!) if (error) throw error;
  return replies![at]![1];
}

const USES: Readonly<Record<string, Use>> = {
  'limiter by script': async (client, { key, field }) =>
    Number(await client.eval(LIMITER, 1, key, field, WINDOW_MS)),
  'limiter by HPEXPIRE NX': async (client, { key, field }) =>
    Number(
      await answered(
        client.multi().hincrby(key, field, 1).call('HPEXPIRE', key, WINDOW_MS, 'NX', 'FIELDS', 1, field),
        0,
      ),
    ),
  'limiter that is taken back': async (client, { key, field }, token) => {
    if (!token.endsWith('0')) return Number(await client.eval(LIMITER, 1, key, field, WINDOW_MS));
    await client.hdel(key, field);
    return undefined;
  },
  'session by HPEXPIRE': async (client, { key, field }, token) => {
    await answered(
      client.multi().hset(key, field, token).call('HPEXPIRE', key, WINDOW_MS, 'FIELDS', 1, field),
      0,
    );
    return undefined;
  },
  'session by HSETEX': async (client, { key, field }, token) => {
    await client.call('HSETEX', key, 'PX', WINDOW_MS, 'FIELDS', 1, field, token);
    return undefined;
  },
  'session that is touched': async (client, { key, field }, token) => {
    const [found] = (await client.call('HGETEX', key, 'PX', WINDOW_MS, 'FIELDS', 1, field)) as string[];
    if (found === null) await client.call('HSETEX', key, 'PX', WINDOW_MS, 'FIELDS', 1, field, token);
    return undefined;
  },
  'session that is changed': async (client, { key, field }, token) => {
    await client.eval(CHANGE, 1, key, field, token, WINDOW_MS);
    return undefined;
  },
  'lock by HSETEX FNX': async (client, { key, field }, token) => {
    const args = ['FNX', 'PX', WINDOW_MS, 'FIELDS', 1, field, token];
    if (Number(await client.call('HSETEX', key, ...args)) === 0) return undefined;
    await sleep(30);
    await client.eval(RELEASE, 1, key, field, token);
    return undefined;
  },
};

const WITHOUT_DEADLINE = `local found = {}
  for _, key in ipairs(redis.call('KEYS', 'live:*')) do
    for _, field in ipairs(redis.call('HKEYS', key)) do
      local at = redis.call('HPEXPIRETIME', key, 'FIELDS', 1, field)[1]
      if at == -1 and field ~= ARGV[1] then found[#found + 1] = key .. ' ' .. field end
    end
  end
  return found`;

const LEFT = `local found = {}
  for _, key in ipairs(redis.call('KEYS', 'live:*')) do
    for _, field in ipairs(redis.call('HKEYS', key)) do
      if field ~= ARGV[1] then found[#found + 1] = key .. ' ' .. field end
    end
  end
  return found`;

async function use(
  site: Site,
  { seen, end, random }: { seen: Seen; end: number; random: Random },
): Promise<void> {
  let token = 0;
  while (Date.now() < end) {
    const [kind, touch] = random.pick(Object.entries(USES));
    // Some hashes hold a field that stays, the others go with their last field.
    const at = { key: `live:${kind}:${random.below(2)}`, field: `u${random.below(USERS)}` };
    const name = `${at.key} ${at.field}`;
    const askedAt = seen.ask(name);
    const count = await touch(site.redis, at, `${site.name}:${random.below(1_000_000)}:${++token}`);
    if (count !== undefined) seen.count(name, count, askedAt);
    await sleep(random.below(6));
  }
}

async function watch({ name, redis }: Site, { seen, end }: { seen: Seen; end: number }): Promise<void> {
  while (Date.now() < end) {
    for (const field of (await redis.eval(WITHOUT_DEADLINE, 0, LASTING)) as string[])
      seen.endless.add(`${field} at ${name}`);
    await sleep(3);
  }
}

async function knowsFieldExpiry(redis: Redis): Promise<boolean> {
  const found = (await redis.call('COMMAND', 'INFO', 'HPEXPIRE', 'HSETEX')) as unknown[];
  return found.every((one) => one !== null);
}

test.for<[string, FailingWatches | undefined]>([
  ['', undefined],
  [', also where half of the watched keys are given up', new FailingWatches()],
])(
  'a field that every writer gives a deadline ends at both sites, and never stands there without one%s',
  { timeout: 120_000 + 2 * SECONDS * 1000 },
  async ([, failing], context) => {
    const env = { ...QUICK, ...failing?.env };
    pair = await startPair({ server: LONG_BACKLOG, env, proxy: { delayMs: 40 } });
    const sites = [pair.east, pair.west] as const;
    if (!(await knowsFieldExpiry(pair.east.redis))) context.skip();
    for (const kind of Object.keys(USES)) await pair.east.redis.hset(`live:${kind}:0`, LASTING, 1);
    await quiet(pair, { deadlineMs: 30_000 });
    failing?.begin();
    const seen = new Seen(WINDOW_MS);
    const end = Date.now() + SECONDS * 1000;
    await Promise.all([
      ...sites.flatMap((site, at) =>
        [0, 1, 2, 3].map((user) => use(site, { seen, end, random: new Random(SEED * 100 + at * 10 + user) })),
      ),
      ...sites.map((site) => watch(site, { seen, end: end + WINDOW_MS })),
      endProcesses(sites, { end, random: new Random(SEED) }),
    ]);
    failing?.end();
    await quiet(pair, { deadlineMs: 60_000 });
    failing?.remove();
    expect([...seen.endless]).toEqual([]);
    expect(seen.tooMany).toEqual([]);
    for (const { name, redis } of sites)
      await until(
        `no field to be left at ${name}`,
        async () => ((await redis.eval(LEFT, 0, LASTING)) as string[]).length === 0,
        { deadlineMs: 20_000 },
      );
  },
);

/** What becomes of a field, by its hash: at one site, and at the other, which gives it a deadline without knowing of that. */
const REMOVALS: Readonly<
  Record<string, { here: readonly string[]; there: readonly string[]; isOver: boolean }>
> = {
  'removed, and over': { here: ['HDEL', 'f'], there: [], isOver: true },
  'removed, and over afterwards': { here: ['HDEL', 'f'], there: [], isOver: false },
  'its hash removed at both': { here: ['DEL'], there: ['DEL'], isOver: true },
  'its hash removed at both, and over afterwards': { here: ['DEL'], there: ['DEL'], isOver: false },
  'removed, and then its hash at the other': { here: ['HDEL', 'f'], there: ['UNLINK'], isOver: true },
  'removed, and then at the other': { here: ['HDEL', 'f'], there: ['HDEL', 'f'], isOver: false },
};

test('a new life of a field arrives, where the one before was removed before it was given its deadline', async (context) => {
  pair = await startPair({ server: LONG_BACKLOG, env: QUICK });
  const { east, west } = pair;
  if (!(await knowsFieldExpiry(east.redis))) context.skip();
  const removals = Object.entries(REMOVALS);
  const run = (site: Site, key: string, [name, ...args]: readonly string[]): unknown =>
    name !== undefined && site.redis.call(name, key, ...args);
  for (const [key] of removals) await east.redis.hset(key, LASTING, 1, 'f', 1);
  await quiet(pair);
  await west.kill('SIGTERM');
  const [soon, later] = [Date.now() + 300, Date.now() + 3000];
  for (const [key, { here, there, isOver }] of removals) {
    await run(west, key, here);
    await east.redis.call('HPEXPIREAT', key, isOver ? soon : later, 'FIELDS', 1, 'f');
    await run(east, key, there);
  }
  await sleep(soon + 20 - Date.now());
  west.start();
  await quiet(pair);
  await sleep(Math.max(0, later + 20 - Date.now()));
  for (const [key] of removals) await east.redis.hincrby(key, 'f', 1);
  await quiet(pair);
  for (const { redis } of [east, west])
    for (const [key] of removals) expect([key, await redis.hget(key, 'f')]).toEqual([key, '1']);
  await expectEqual(east.redis, west.redis);
});
