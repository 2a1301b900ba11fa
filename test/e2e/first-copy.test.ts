import { afterEach, expect, test } from 'vitest';
import { expectEqual } from '../support/equal.js';
import { writeMixed } from '../support/mixed-keys.js';
import { type Pair, type PairOptions, startPair } from '../support/pair.js';
import { quiet } from '../support/quiet.js';
import { until } from '../support/wait.js';
import { LONG_BACKLOG, QUICK } from './observe.js';
import { jobOf } from './long-jobs.js';

let pair: Pair | undefined;

afterEach(async () => {
  await pair?.close();
  pair = undefined;
});

const DEADLINE = { deadlineMs: 30_000 };

async function apart(options: PairOptions = {}): Promise<Pair> {
  pair = await startPair({
    server: LONG_BACKLOG,
    ...options,
    env: { ...QUICK, ...options.env },
    start: false,
  });
  return pair;
}

function start({ east, west }: Pair): void {
  for (const site of [east, west]) site.start();
}

async function copied({ east, west }: Pair): Promise<void> {
  for (const site of [east, west]) {
    const job = await until(
      `the first copy of ${site.name} to end`,
      async () => {
        const found = await jobOf(site, 'first-copy');
        return found?.state === 'completed' || found?.state === 'failed' ? found : undefined;
      },
      DEADLINE,
    );
    expect(job, site.tail()).toMatchObject({ state: 'completed' });
  }
}

test('a full site is copied to an empty one, by itself', async () => {
  const running = await apart();
  const { east, west } = running;
  await writeMixed(east.redis, { prefix: 'old', count: 2000 });
  start(running);
  await copied(running);
  await quiet(running);
  expect(await west.redis.dbsize()).toBeGreaterThan(1000);
  await expectEqual(east.redis, west.redis);
});

test('of two full sites each gets what only the other one has', async () => {
  const running = await apart();
  const { east, west } = running;
  await writeMixed(east.redis, { prefix: 'east', count: 1000 });
  await writeMixed(west.redis, { prefix: 'west', count: 1000 });
  for (const { redis } of [east, west]) await writeMixed(redis, { prefix: 'both', count: 500 });
  start(running);
  await copied(running);
  await quiet(running);
  await expectEqual(east.redis, west.redis);
});

test('keys that differ stop the first copy, and nothing of them is overwritten, until a site is preferred', async () => {
  const running = await apart();
  const { east, west } = running;
  await writeMixed(east.redis, { prefix: 'east', count: 200 });
  await writeMixed(west.redis, { prefix: 'west', count: 200 });
  await writeMixed(east.redis, { prefix: 'both', count: 100, word: 'e' });
  await writeMixed(west.redis, { prefix: 'both', count: 100, word: 'w' });
  start(running);
  for (const site of [east, west]) {
    const job = await until(
      'it to fail',
      async () => {
        const found = await jobOf(site, 'first-copy');
        return found?.state === 'failed' ? found : undefined;
      },
      DEADLINE,
    );
    expect(job.failure).toMatch(/^100 keys have one value at .* none of them was overwritten/);
  }
  expect(await east.redis.get('both:7')).toBe('e7');
  expect(await west.redis.get('both:7')).toBe('w7');
  expect(await west.redis.get('east:7')).toBe('a7');
  expect(await east.redis.get('west:7')).toBe('a7');
});
