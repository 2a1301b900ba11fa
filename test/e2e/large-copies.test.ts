import { setTimeout as sleep } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { afterEach, expect, test } from 'vitest';
import { expectEqual } from '../support/equal.js';
import { type Pair, type PairOptions, type Site, startPair } from '../support/pair.js';
import { quiet, ROUNDS_WHEN_CONTENDED } from '../support/quiet.js';
import { until } from '../support/wait.js';
import { jobOf, verifyAt } from './long-jobs.js';
import { LONG_BACKLOG, ownKeys, QUICK } from './observe.js';
import { type Random, random } from './random.js';

type Words = readonly [string, ...(string | number | Buffer)[]];

const SEED = Number(process.env['TANDEM_TEST_SEED'] ?? Date.now() % 1_000_000);
/** How often what is left to chance is tried. */
const RUNS = Number(process.env['TANDEM_TEST_RUNS'] ?? 2);
const ELEMENTS = 9000;
const FAR = 1_900_000_000_000;
/** Slow enough that a key is written between two of its parts. */
const BYTES_PER_SECOND = 6_000_000;
const DEADLINE = { deadlineMs: 60_000 };
// A round with kills takes 35 to 55 s, and on a busy machine more.
const LONG = { timeout: 60_000 + RUNS * 120_000 };
const KEYS = ownKeys();

let pair: Pair | undefined;

afterEach(async () => {
  await pair?.close();
  pair = undefined;
});

const elements = (word: string): string[] =>
  Array.from({ length: ELEMENTS }, (_, at) => `${word} ${at} ${'.'.repeat(60)}`);
const one = (word: string, next: Random): string => `${word} ${next.below(ELEMENTS)} ${'.'.repeat(60)}`;

/** A value of each type that is sent in parts, and writes of it by which no value can be told from another one's. */
const VALUES: Readonly<
  Record<
    string,
    { make: (key: string) => Words[]; write: (key: string, next: Random, word: string) => Words }
  >
> = {
  string: {
    make: (key) => [['SET', key, Buffer.alloc(4_500_000, 'text')]],
    write: (key, next, word) => ['SETBIT', key, next.below(30_000_000), word === 'east' ? 1 : 0],
  },
  list: {
    make: (key) => [['RPUSH', key, ...elements('element')]],
    write: (key, next, word) => [next.below(2) === 0 ? 'LPUSH' : 'RPUSH', key, one(word, next)],
  },
  set: {
    make: (key) => [['SADD', key, ...elements('member')]],
    write: (key, next) => [
      next.below(2) === 0 ? 'SADD' : 'SREM',
      key,
      one(next.below(2) === 0 ? 'member' : 'more', next),
    ],
  },
  hash: {
    make: (key) => [['HSET', key, ...elements('field').flatMap((field, at) => [field, at])]],
    write: (key, next, word) =>
      next.below(3) === 0
        ? ['HDEL', key, one('field', next)]
        : ['HSET', key, one('field', next), `${word} ${next.below(1000)}`],
  },
  zset: {
    make: (key) => [['ZADD', key, ...elements('member').flatMap((member, at) => [at / 4, member])]],
    write: (key, next) =>
      next.below(3) === 0
        ? ['ZREM', key, one('member', next)]
        : ['ZADD', key, next.below(1000), one('member', next)],
  },
};
const TYPES = Object.keys(VALUES);
const NAMES = TYPES.flatMap((type) => [`large:${type}`, `large:${type}:expiring`]);

async function run(redis: Redis, commands: readonly Words[]): Promise<void> {
  const pipeline = redis.pipeline();
  for (const [name, ...args] of commands) pipeline.call(name, ...args);
  for (const [error] of (await pipeline.exec())!) if (error) throw error;
}

async function fill({ redis }: Site, names = NAMES): Promise<void> {
  for (const name of names) {
    const [, type, isExpiring] = name.split(':') as [string, string, string?];
    await run(redis, VALUES[type]!.make(name));
    if (isExpiring) await redis.pexpireat(name, FAR);
  }
}

async function apart(options: PairOptions = {}): Promise<Pair> {
  const env = { ...QUICK, TANDEM_SYNC_BYTES_PER_SECOND: String(BYTES_PER_SECOND), ...options.env };
  pair = await startPair({ server: LONG_BACKLOG, ...options, env, start: false });
  return pair;
}

/** Not before, or the keys that are written at both sites are compared first of all. */
async function begun({ west }: Pair): Promise<void> {
  await until('a part to be there', async () => (await west.redis.exists(KEYS.assembly)) === 1, DEADLINE);
}

async function copied({ east, west }: Pair): Promise<void> {
  for (const site of [east, west]) {
    const isOver = async (): Promise<boolean> => (await jobOf(site, 'first-copy'))?.state === 'completed';
    await until(`the first copy of ${site.name} to end`, isOver, DEADLINE);
  }
}

async function calls({ redis }: Site, command: string): Promise<number> {
  const stats = await redis.info('commandstats');
  return Number(new RegExp(`^cmdstat_${command}:calls=(\\d+)`, 'm').exec(stats)?.[1] ?? 0);
}

async function expectNothingLeft({ east, west }: Pair): Promise<void> {
  for (const { redis } of [east, west])
    expect(await redis.keys(`${KEYS.out}*`), 'what is left of values in parts').toEqual([]);
}

/** @param seed of what was left to chance */
async function expectSame(running: Pair, seed: number): Promise<void> {
  const { east, west } = running;
  await quiet(running, { ...DEADLINE, rounds: ROUNDS_WHEN_CONTENDED });
  await expectEqual(east.redis, west.redis).catch((error: unknown) => {
    throw new Error(`seed ${seed}: ${String(error)}`, { cause: error });
  });
}

/** Writes to keys until it is told to end: some at once, and then nothing for a while. */
function writing(
  site: Site,
  names: readonly string[],
  { seed, pauseMs }: { seed: number; pauseMs: number },
): () => Promise<void> {
  const next = random(seed);
  const over = new AbortController();
  const work = (async () => {
    while (!over.signal.aborted) {
      const name = names[next.below(names.length)]!;
      const { write } = VALUES[name.split(':')[1]!]!;
      await run(
        site.redis,
        Array.from({ length: 1 + next.below(4) }, () => write(name, next, site.name)),
      );
      await sleep(next.below(pauseMs));
    }
  })();
  return () => {
    over.abort();
    return work;
  };
}

/** A copy of large values from east on its way, and writers at both sites until `end`. @param pauseMs of west's at the most */
async function copyingUnderWrites(
  seed: number,
  pauseMs: number,
): Promise<{ running: Pair; end: () => Promise<void> }> {
  const running = await apart();
  const { east, west } = running;
  await fill(east);
  for (const site of [east, west]) site.start();
  await begun(running);
  const ends = [
    writing(west, NAMES, { seed, pauseMs }),
    writing(east, NAMES, { seed: seed + 0.5, pauseMs: 2000 }),
  ];
  return {
    running,
    end: async () => {
      for (const end of ends) await end();
    },
  };
}

test(
  'large values of all types are copied in parts, and none of them is read or written in one step',
  LONG,
  async () => {
    const running = await apart();
    const { east, west } = running;
    await fill(east);
    await east.redis.select(3);
    await fill(
      east,
      TYPES.map((type) => `large:${type}`),
    );
    await east.redis.select(0);
    await run(east.redis, [['SET', 'small', '1']]);
    for (const { redis } of [east, west]) await redis.config('RESETSTAT');
    for (const site of [east, west]) site.start();
    await copied(running);
    await quiet(running, DEADLINE);
    await expectEqual(east.redis, west.redis);
    // The one that is small.
    expect(await calls(east, 'dump')).toBe(1);
    expect(await calls(west, 'rename')).toBe(NAMES.length + TYPES.length);
    expect(await calls(west, 'move')).toBe(TYPES.length);
    await expectNothingLeft(running);
  },
);

test('a peer of an older build, which does not say that it reads parts, is sent none', LONG, async () => {
  const running = await apart();
  const { east, west } = running;
  await fill(east);
  west.start();
  const said = async (): Promise<boolean> => (await west.redis.hget(KEYS.site, 'reads')) !== null;
  await until('west to say what it reads', said, DEADLINE);
  await west.redis.hset(KEYS.site, 'reads', `${await west.redis.hget(KEYS.site, 'startedAt')} brotli`);
  east.start();
  await copied(running);
  await quiet(running, DEADLINE);
  await expectEqual(east.redis, west.redis);
  expect(await calls(east, 'dump')).toBeGreaterThanOrEqual(NAMES.length);
  expect(await calls(west, 'rename')).toBe(0);
});

test('a repair puts large values in place of others, in parts', LONG, async () => {
  const running = await apart();
  const { east, west } = running;
  for (const site of [east, west]) site.start();
  await copied(running);
  await fill(east);
  await quiet(running, DEADLINE);
  for (const [at, name] of NAMES.entries()) {
    const words =
      at % 3 === 0
        ? ['SET', name, 'another type']
        : at % 3 === 1
          ? ['DEL', name]
          : ['PEXPIREAT', name, FAR + 1];
    await west.redis.eval('redis.set_repl(redis.REPL_NONE) return redis.call(unpack(ARGV))', 0, ...words);
  }
  for (const { redis } of [east, west]) await redis.config('RESETSTAT');
  const { result } = await verifyAt(running, east, '--pattern', 'large:*', '--repair', '--prefer', 'east');
  expect(result).toMatchObject({ differing: NAMES.length, repaired: NAMES.length, undecided: 0 });
  await quiet(running, DEADLINE);
  await expectEqual(east.redis, west.redis);
  expect(await calls(east, 'dump')).toBe(0);
  await expectNothingLeft(running);
});

test('large values that both sites write while they are copied are the same in the end', LONG, async () => {
  for (let round = 0; round < RUNS; round++) {
    const seed = SEED + round;
    const { running, end } = await copyingUnderWrites(seed, 20);
    const { west } = running;
    await copied(running);
    await end();
    await expectSame(running, seed);
    expect(await calls(west, 'rename'), `seed ${seed}`).toBeGreaterThan(0);
    await running.close();
    pair = undefined;
  }
});

test('processes may be killed at any moment of it', LONG, async () => {
  for (let round = 0; round < RUNS; round++) {
    const seed = SEED + round;
    const next = random(seed);
    const { running, end } = await copyingUnderWrites(seed, 60);
    const { east, west } = running;
    for (let kill = 0; kill < 4; kill++) {
      await sleep(next.below(1200));
      const site = next.below(2) === 0 ? east : west;
      await site.kill();
      site.start();
    }
    await copied(running);
    await end();
    await expectSame(running, seed);
    await running.close();
    pair = undefined;
  }
});

test('what becomes of the keys while they are copied becomes of them at both sites', LONG, async () => {
  const MEANWHILE: readonly ((name: string) => Words[])[] = [
    (name) => [['DEL', name]],
    (name) => [['SET', name, 'another type']],
    (name) => [['PEXPIRE', name, 1]],
    (name) => [['DEL', name], ...VALUES['set']!.make(name)],
  ];
  for (let round = 0; round < RUNS; round++) {
    const seed = SEED + round;
    const next = random(seed);
    const running = await apart();
    const { east, west } = running;
    await fill(east);
    for (const site of [east, west]) site.start();
    await begun(running);
    for (const name of NAMES) {
      const site = next.below(2) === 0 ? east : west;
      const words = MEANWHILE[next.below(MEANWHILE.length)]!(name);
      // A key may be gone by now, or not be there yet.
      for (const [command, ...args] of words) await site.redis.call(command, ...args).catch(() => {});
      await sleep(next.below(300));
    }
    await copied(running);
    await expectSame(running, seed);
    await running.close();
    pair = undefined;
  }
});
