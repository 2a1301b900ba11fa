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
