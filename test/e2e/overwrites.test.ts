import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { expectEqual } from '../support/equal.js';
import { type Pair, type Site, startPair } from '../support/pair.js';
import { quiet } from '../support/quiet.js';
import { until } from '../support/wait.js';
import { QUICK, statusOf } from './observe.js';

/** The clocks of both sites are one clock here; a batch is stamped a moment after its writes. */
const APART_MS = 100;

let pair: Pair;

beforeAll(async () => {
  pair = await startPair({ env: QUICK, proxy: true });
});

afterAll(() => pair.close());

beforeEach(async () => {
  await quiet(pair);
});

test.each([
  { first: 'east', second: 'west', back: ['east', 'west'] },
  { first: 'east', second: 'west', back: ['west', 'east'] },
  { first: 'west', second: 'east', back: ['east', 'west'] },
  { first: 'west', second: 'east', back: ['west', 'east'] },
] as const)(
  'of two values set at once, first at $first and then at $second, the later stays on both sites, and the conflict is counted ($back come back in this order)',
  async ({ first, second, back }) => {
    const before = await conflicts();
    cut();
    await pair[first].redis.set('key', `from ${first}`);
    await isCaptured(pair[first]);
    await pause(APART_MS);
    await pair[second].redis.set('key', `from ${second}`);
    await isCaptured(pair[second]);
    for (const name of back) pair[name].network.resume();
    await quiet(pair);
    expect(await values('key')).toEqual([`from ${second}`, `from ${second}`]);
    await expectEqual(pair.east.redis, pair.west.redis);
    expect(await conflicts()).toBeGreaterThan(before);
  },
);

test('a value set with knowledge of the other one is no conflict', async () => {
  const before = await conflicts();
  for (let i = 0; i < 20; i++) {
    const site = i % 2 === 0 ? pair.east : pair.west;
    await site.redis.set('in turn', i);
    await quiet(pair);
  }
  expect(await values('in turn')).toEqual(['19', '19']);
  expect(await conflicts()).toBe(before);
});

function cut(): void {
  for (const site of [pair.east, pair.west]) site.network.cut();
}

/** What was written is stamped: it stands in the change list. */
async function isCaptured(site: Site): Promise<void> {
  await until(`the change list of ${site.name} to have it`, async () => {
    return (await statusOf(site)).outbound.changeListBatches > 0;
  });
}

async function values(key: string): Promise<(string | null)[]> {
  return Promise.all([pair.east.redis.get(key), pair.west.redis.get(key)]);
}

/** Conflicts both sites have counted, of any kind, but for those on the keys by which `quiet` knows. */
async function conflicts(): Promise<number> {
  const statuses = await Promise.all([statusOf(pair.east), statusOf(pair.west)]);
  return statuses.flatMap((status) => Object.values(status.conflicts)).reduce((sum, count) => sum + count, 0);
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}
