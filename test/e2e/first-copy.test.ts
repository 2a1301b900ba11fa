import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, expect, test } from 'vitest';
import { expectEqual } from '../support/equal.js';
import { writeMixed } from '../support/mixed-keys.js';
import { type Pair, type PairOptions, startPair } from '../support/pair.js';
import { quiet } from '../support/quiet.js';
import { until } from '../support/wait.js';
import { LONG_BACKLOG, ownKeys, QUICK, statusOf } from './observe.js';
import { random } from './random.js';
import { jobOf, verifyAt } from './long-jobs.js';

let pair: Pair | undefined;

afterEach(async () => {
  await pair?.close();
  pair = undefined;
});

const SEED = Number(process.env['TANDEM_TEST_SEED'] ?? Date.now() % 1_000_000);
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
  await east.waitForLog(
    (line) => line.msg === 'a job has failed' && JSON.stringify(line).includes('TANDEM_PREFER'),
  );
  await until('the site to say so', async () => (await statusOf(east)).firstCopyFailure === 'SITES_DIFFER');
  expect((await fetch(`${east.httpUrl}/readyz`, { headers: { connection: 'close' } })).status).toBe(503);
  for (const site of [east, west]) {
    await site.kill('SIGTERM');
    site.set({ TANDEM_PREFER: 'west' });
    site.start();
  }
  await until(
    'the first copy to begin anew',
    async () => {
      const jobs = await Promise.all([jobOf(east, 'first-copy'), jobOf(west, 'first-copy')]);
      return jobs.every((job) => job?.state === 'completed');
    },
    DEADLINE,
  );
  expect((await statusOf(east)).firstCopyFailure).toBeNull();
  await quiet(running);
  await expectEqual(east.redis, west.redis);
  expect(await east.redis.get('both:7')).toBe('w7');
});

test('a gap, while nobody has said whose values stay, overwrites nothing either', async () => {
  const running = await apart({ server: { config: { 'repl-backlog-size': '16kb' } } });
  const { east, west } = running;
  await writeMixed(east.redis, { prefix: 'both', count: 50, word: 'e' });
  await writeMixed(west.redis, { prefix: 'both', count: 50, word: 'w' });
  start(running);
  for (const site of [east, west])
    await until(
      'it to fail',
      async () => (await jobOf(site, 'first-copy'))?.state === 'failed' || undefined,
      DEADLINE,
    );
  await east.kill();
  await writeMixed(east.redis, { prefix: 'missed', count: 400 });
  east.start();
  await east.waitForLog('the sites have been compared, and hold different data', DEADLINE);
  await quiet(running);
  expect(await west.redis.get('missed:7')).toBe('a7');
  expect([await east.redis.get('both:7'), await west.redis.get('both:7')]).toEqual(['e7', 'w7']);
  expect((await statusOf(east)).gap).toBe(true);
  for (const site of [east, west]) {
    await site.kill('SIGTERM');
    site.set({ TANDEM_PREFER: 'east' });
    site.start();
  }
  await until(
    'the sites to be equal',
    async () => {
      await quiet(running);
      return (await west.redis.get('both:7')) === 'e7';
    },
    DEADLINE,
  );
  await copied(running);
  await expectEqual(east.redis, west.redis);
  expect((await statusOf(east)).gap).toBe(false);
});

/** Writes into the keys of `writeMixed` at both sites, by changes that build on what is there. */
class Touching {
  #isOver = false;
  readonly #running: Promise<void>[];

  constructor({ east, west }: Pair, prefix: string, count: number) {
    this.#running = [east, west].map(async ({ redis, name }) => {
      for (let round = 0; !this.#isOver; round++) {
        const pipeline = redis.pipeline();
        for (let i = 0; i < 10; i++) {
          const number = (round * 97 + i * 31) % count;
          const key = `${prefix}:${number}`;
          // Those of the other database are left alone.
          if (number % 7 === 3) continue;
          if (number % 9 === 0) pipeline.hset(key, `${name}${round % 5}`, round);
          if (number % 9 === 2) pipeline.sadd(key, `${name}${round % 5}`);
          if (number % 9 === 3) pipeline.zadd(key, round, `${name}${round % 5}`);
          if (number % 9 === 5) pipeline.pfadd(key, `${name}${round}`);
        }
        for (const [error] of (await pipeline.exec()) ?? []) if (error) throw error;
        await sleep(20);
      }
    });
  }

  async stop(): Promise<void> {
    this.#isOver = true;
    await Promise.all(this.#running);
  }
}

test('a full site is copied whole to one that has next to nothing, while both write the very keys that are copied', async () => {
  const running = await apart({ env: { TANDEM_SYNC_KEYS_PER_SECOND: '500' } });
  const { east, west } = running;
  await writeMixed(east.redis, { prefix: 'old', count: 1500 });
  await west.redis.set('own', 'of west');
  start(running);
  for (const { name, redis } of [east, west])
    await until(`${name} to know what it has`, () => redis.exists(ownKeys().inventory));
  const touching = new Touching(running, 'old', 1500);
  try {
    await copied(running);
  } finally {
    await touching.stop();
  }
  await quiet(running);
  await expectEqual(east.redis, west.redis);
  expect(await west.redis.hget('old:9', 'field0')).toBe('a9.0');
  expect(await west.redis.sismember('old:2', 'a2.0')).toBe(1);
});

test('a first copy goes on where it was when a process was killed, and what one site has is not overwritten', async () => {
  const running = await apart({ env: { TANDEM_SYNC_KEYS_PER_SECOND: '1500' } });
  const { east, west } = running;
  await writeMixed(east.redis, { prefix: 'old', count: 6000 });
  await writeMixed(west.redis, { prefix: 'west', count: 100 });
  start(running);
  const next = random(SEED);
  let last = 0;
  for (let kill = 0; kill < 4; kill++) {
    const site = kill % 2 === 0 ? east : west;
    const before = last;
    await until(
      `the copy to go on, seed ${SEED}`,
      async () => {
        const job = await jobOf(east, 'first-copy');
        last = (job?.progress as { done?: number } | null)?.done ?? 0;
        return last > before || job?.state === 'completed';
      },
      DEADLINE,
    );
    await sleep(next.below(300));
    await site.kill();
    site.start();
  }
  await copied(running);
  await quiet(running);
  await expectEqual(east.redis, west.redis);
});

test('a key that expires in the far future is copied and compared like any other', async () => {
  const running = await apart();
  const { east, west } = running;
  await east.redis.call('SET', 'far', 'v');
  await east.redis.call('PEXPIREAT', 'far', '9223372036854775000');
  await east.redis.call('SET', 'near the end', 'v');
  await east.redis.call('PEXPIREAT', 'near the end', '9007199254740995');
  start(running);
  await copied(running);
  await quiet(running);
  expect(await west.redis.exists('far', 'near the end')).toBe(2);
  const { code, result } = await verifyAt(running, west);
  expect(result).toMatchObject({ differing: 0, undecided: 0 });
  expect(code).toBe(0);
});

test('a first copy ends although its site is written without a pause', async () => {
  const running = await apart({ proxy: { delayMs: 30 } });
  const { east, west } = running;
  await writeMixed(east.redis, { prefix: 'old', count: 300 });
  const over = new AbortController();
  const writing = (async () => {
    for (let i = 0; !over.signal.aborted; i++)
      await Promise.all(Array.from({ length: 20 }, (_, j) => east.redis.set(`new:${j}`, i)));
  })();
  try {
    start(running);
    await copied(running);
  } finally {
    over.abort();
    await writing;
  }
  await quiet(running);
  await expectEqual(east.redis, west.redis);
});
