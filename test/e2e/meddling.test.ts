import { afterAll, afterEach, describe, expect, test } from 'vitest';
import { allKeys } from '../../src/redis/keys.js';
import { expectEqual } from '../support/equal.js';
import { type Pair, type Site, startPair } from '../support/pair.js';
import { quiet } from '../support/quiet.js';
import { until } from '../support/wait.js';
import { LONG_BACKLOG, QUICK, expectNothingWaits, ownKeys, statusOf } from './observe.js';
import { Tally } from './tally.js';

/** Somebody deletes or overwrites the internal keys, one after another, while both sites work. */
const KEYS = ownKeys();

interface Meddling {
  how: string;
  /** Which keys it makes sense for. */
  of?: readonly string[];
  what: (site: Site, key: string) => Promise<unknown>;
}

const HASHES = [KEYS.state, KEYS.applied, KEYS.received, KEYS.site];
const LISTS = [KEYS.changes, KEYS.inbox];
const MEDDLINGS: readonly Meddling[] = [
  { how: 'deleted', what: ({ redis }, key) => redis.del(key) },
  { how: 'overwritten with text', what: ({ redis }, key) => redis.set(key, 'x') },
  {
    how: 'overwritten with a list',
    of: [...HASHES, ...LISTS, KEYS.fence, KEYS.lease, KEYS.guard, KEYS.barrier, KEYS.out, KEYS.status],
    what: ({ redis }, key) => redis.multi().del(key).rpush(key, 'x').exec(),
  },
  {
    how: 'overwritten with a hash',
    of: [...HASHES, ...LISTS],
    what: ({ redis }, key) => redis.multi().del(key).hset(key, 'x', 'y').exec(),
  },
  {
    how: 'filled with rubbish',
    of: HASHES,
    what: async ({ redis }, key) => {
      const fields = await redis.hkeys(key);
      await redis.hset(key, Object.fromEntries(fields.map((field) => [field, 'rubbish'])));
    },
  },
  { how: 'added to', of: [KEYS.changes], what: ({ redis }, key) => redis.rpush(key, 'x') },
  { how: 'renamed', of: HASHES, what: ({ redis }, key) => redis.rename(key, `${KEYS.prefix}elsewhere`) },
  { how: 'given an expiry', of: HASHES, what: ({ redis }, key) => redis.pexpire(key, 1) },
];
/** An inbox that holds what is no batch stops the link, and says so: hostile-peer.test.ts. */
const STOPS = [`${KEYS.inbox} overwritten with a list`];

const TYPES: Readonly<Record<string, string>> = {
  ...Object.fromEntries(HASHES.map((key) => [key, 'hash'])),
  [KEYS.changes]: 'list',
  [KEYS.inbox]: 'list',
  [KEYS.conflicts]: 'stream',
  [KEYS.rejected]: 'stream',
  [KEYS.retries]: 'hash',
  [KEYS.paused]: 'hash',
  [KEYS.waits]: 'hash',
  [KEYS.jobKinds]: 'set',
};

let pair: Pair | undefined;
let tally: Tally;

afterAll(() => pair?.close());
afterEach(async ({ task }) => {
  await tally.stop().catch(() => {});
  if (task.result?.state !== 'fail' && (await gaps()) === 0) return;
  await pair?.close().catch(() => {});
  pair = undefined;
});

async function gaps(): Promise<number> {
  const { east, west } = pair!;
  return (await statusOf(east)).capture.gaps + (await statusOf(west)).capture.gaps;
}

async function underLoad(): Promise<Pair> {
  pair ??= await startPair({ server: LONG_BACKLOG, env: QUICK });
  const { redis } = pair.east;
  await redis.del('tally', 'tally:east', 'tally:west', 'tally:list:east', 'tally:list:west');
  await quiet(pair);
  tally = new Tally(pair);
  tally.start();
  await more(20);
  return pair;
}

async function more(count: number): Promise<void> {
  const goal = tally.made + count;
  await until('more to be written', () => tally.made >= goal, { deadlineMs: 20_000 });
}

/** What was written is at both sites once; where changes were lost with a key, that is shown, and mended by itself. */
async function expectWhole(): Promise<void> {
  await more(30);
  await tally.stop();
  await quiet(pair!);
  const { east, west } = pair!;
  for (const site of [east, west])
    await until(`no gap at ${site.name}\n${site.tail()}`, async () => !(await statusOf(site)).gap);
  // After a gap a counter of both sites may lack sums: it is in the limits.
  await tally.expectExact({ wasGap: (await gaps()) > 0 });
  await expectEqual(east.redis, west.redis);
  await expectNothingWaits(pair!);
}

describe.each(allKeys(KEYS).map((key) => ({ key })))('the internal key $key', ({ key }) => {
  const cases = MEDDLINGS.filter(
    ({ how, of }) => !STOPS.includes(`${key} ${how}`) && (of?.includes(key) ?? true),
  );
  test.each(cases)('may be $how while both sites work', async ({ what }) => {
    const { east } = await underLoad();
    await what(east, key);
    await until('the key to be what it is', async () =>
      ['none', TYPES[key] ?? 'string'].includes(await east.redis.type(key)),
    );
    await expectWhole();
    // What had come by then may be all there was to lose. Of what was applied last the answer may have been on its way: then a gap is
    // shown, and mended.
    if (key !== KEYS.changes && key !== KEYS.applied) expect(await gaps()).toBe(0);
  });
});

describe('while its process is down', () => {
  test.each([...LISTS, KEYS.applied, KEYS.received, KEYS.site, KEYS.fence, KEYS.lease])(
    'the internal key %s may be deleted',
    async (key) => {
      const { east } = await underLoad();
      await east.kill();
      await more(50);
      await east.redis.del(key, KEYS.lease);
      east.start();
      await expectWhole();
      if (key !== KEYS.changes) expect(await gaps()).toBe(0);
    },
  );

  test('the state may be deleted: nobody knows then what is missing, which is shown, and mended', async () => {
    const { east, west } = await underLoad();
    await east.kill();
    await more(50);
    await tally.stop();
    await east.redis.del(KEYS.state, KEYS.lease);
    const from = east.log.length;
    east.start();
    await east.waitForLog(/must be compared/, { from });
    await quiet(pair!);
    await until('the repair to be done', async () => !(await statusOf(east)).gap, { deadlineMs: 30_000 });
    await quiet(pair!);
    await expectEqual(east.redis, west.redis);
  });
});

test.each([
  ['FLUSHALL', (site: Site) => site.redis.flushall()],
  ['FLUSHDB', (site: Site) => site.redis.flushdb()],
] as const)('after a %s that stays local, changes cross again', async (_, flush) => {
  const { east, west } = await underLoad();
  await tally.stop();
  await quiet(pair!);
  await flush(east);
  await east.waitForLog('a flush stays local: the sites now differ');
  await east.redis.set('after', 'east');
  await west.redis.set('after it', 'west');
  await quiet(pair!);
  expect([await west.redis.get('after'), await east.redis.get('after it')]).toEqual(['east', 'west']);
  expect((await statusOf(east)).epoch).toBeGreaterThan(0);
});

test('after a SWAPDB with database 0 the internal keys are at home again, and nothing is lost', async () => {
  await pair?.close();
  pair = undefined;
  const { east, west } = await underLoad();
  await tally.stop();
  await quiet(pair!);
  await east.redis.swapdb(0, 3);
  await until('the swap to cross', async () => (await west.redis.exists('tally')) === 0);
  await east.redis.swapdb(0, 3);
  await until('the swap back to cross', async () => (await west.redis.exists('tally')) === 1);
  await quiet(pair!);
  tally.start();
  await expectWhole();
  expect(await gaps()).toBe(0);
});
