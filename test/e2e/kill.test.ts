import { afterAll, beforeAll, expect, test } from 'vitest';
import { expectEqual } from '../support/equal.js';
import { type Pair, type Site, startPair } from '../support/pair.js';
import { quiet } from '../support/quiet.js';
import { Load } from './load.js';
import { LONG_BACKLOG, QUICK, expectNothingWaits, ownKeys } from './observe.js';
import { type Random, random } from './random.js';

/** How often processes are killed; more to search longer. */
const KILLS = Number(process.env['TANDEM_TEST_KILLS'] ?? 24);
const SEED = Number(process.env['TANDEM_TEST_SEED'] ?? Date.now() % 1_000_000);

/** Kills between two looks at what both sites hold. */
const KILLS_A_ROUND = 8;
/** A process lives this long at the most; one starts in about 300 ms, so some die before they work. */
const MAX_LIFE_MS = 1200;
const MAX_ABSENCE_MS = 150;

let pair: Pair;

beforeAll(async () => {
  pair = await startPair({ env: QUICK, server: LONG_BACKLOG });
});

afterAll(() => pair.close());

test(
  `processes killed ${KILLS} times at random moments lose nothing and do nothing twice (seed ${SEED})`,
  async () => {
    const chance = random(SEED);
    const load = new Load(pair);
    for (let killed = 0; killed < KILLS; killed += KILLS_A_ROUND) {
      load.start();
      const each = Math.min(KILLS_A_ROUND, KILLS - killed) / 2;
      await Promise.all([
        killAndStart(pair.east, Math.ceil(each), chance),
        killAndStart(pair.west, Math.floor(each), chance),
      ]);
      await load.stop();
      await quiet(pair, { deadlineMs: 60_000 });
      await load.expectExact();
      await expectEqual(pair.east.redis, pair.west.redis);
      await expectNothingWaits(pair);
    }
    expect(load.rounds).toBeGreaterThan(KILLS);
  },
  60_000 + KILLS * 5000,
);

async function killAndStart(site: Site, times: number, chance: Random): Promise<void> {
  for (let i = 0; i < times; i++) {
    await pause(chance.below(MAX_LIFE_MS));
    await site.kill();
    await pause(chance.below(MAX_ABSENCE_MS));
    // The dead process's lease would end by itself: lease.test.ts waits for that, here it would only take time.
    await site.redis.del(ownKeys().lease);
    site.start();
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}
