import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { expectEqual } from '../support/equal.js';
import { type Pair, startPair } from '../support/pair.js';
import { quiet } from '../support/quiet.js';

let pair: Pair;

beforeAll(async () => {
  pair = await startPair({ env: { TANDEM_LEASE_MS: '60000' } });
});

afterAll(() => pair.close());

test('entries that both sites add to a capped stream at once all stay, while it is shorter than its cap', async () => {
  for (const site of [pair.east, pair.west]) site.pause();
  for (let round = 0; round < 10; round++)
    for (const [at, site] of [pair.east, pair.west].entries())
      await site.redis.xadd('s', 'MAXLEN', '~', 1000, `${2 * round + at + 1}-1`, 'from', site.name);
  for (const site of [pair.west, pair.east]) site.resume();
  await quiet(pair);
  await expectEqual(pair.east.redis, pair.west.redis);
  expect(await pair.east.redis.xlen('s')).toBe(20);
});

const ROUNDS = 1000;
const CAP = 200;
/** Entries of each site that no trim can have reached. */
const NEWEST = 50;
/** Entries that a server keeps in one node of a stream, and trims together. */
const NODE = 100;

test.each([
  ['about so many', '~'],
  ['exactly so many', '='],
])(
  'of a stream of %s entries both sites keep the same ones, while both add to it and trim it',
  async (_, how) => {
    const { east, west } = pair;
    const key = `capped${how}`;
    const add = async ({ redis, name }: typeof east, i: number): Promise<void> => {
      await redis.xadd(key, 'MAXLEN', how as '~', CAP, '*', 'from', name, 'at', i);
      if (i % 50 === 49) await redis.xtrim(key, 'MAXLEN', how as '~', CAP);
    };
    // In step: a site that ended long before the other one would rightly have nothing among the newest.
    for (let i = 0; i < ROUNDS; i++) await Promise.all([add(east, i), add(west, i), sleep(3)]);
    await quiet(pair, { deadlineMs: 30_000 });
    await expectEqual(east.redis, west.redis);
    const entries = await east.redis.xrange(key, '-', '+');
    expect(entries.length).toBeGreaterThanOrEqual(CAP);
    // The newest ones of each site are there, without a hole.
    for (const name of ['east', 'west']) {
      const mine = entries.filter(([, fields]) => fields[1] === name).map(([, fields]) => Number(fields[3]));
      const newest = Array.from({ length: NEWEST }, (__, at) => ROUNDS - NEWEST + at);
      // Sorted: one that is moved because of an equal ID stands behind what its site added later in that millisecond.
      expect(
        mine
          .slice(-2 * NEWEST)
          .toSorted((a, b) => a - b)
          .slice(-NEWEST),
      ).toEqual(newest);
    }
    expect(await east.redis.xlen('tandem:{test}:rejected')).toBe(0);
    // A trim leaves what its site had not seen: the stream was longer than its cap by what was on its way. The next trim takes that.
    await east.redis.xadd(key, 'MAXLEN', how as '~', CAP, '*', 'from', 'east', 'at', ROUNDS);
    await quiet(pair);
    await expectEqual(east.redis, west.redis);
    expect(await west.redis.xlen(key)).toBeLessThan(how === '=' ? CAP + 1 : CAP + NODE);
  },
  60_000,
);
