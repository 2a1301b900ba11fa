import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { expectEqual } from '../support/equal.js';
import { writeMixed } from '../support/mixed-keys.js';
import { type Pair, startPair } from '../support/pair.js';
import { quiet } from '../support/quiet.js';
import { until } from '../support/wait.js';
import { LiveWriters } from './live-writers.js';
import { type Verified, verifyAt } from './long-jobs.js';
import { LONG_BACKLOG, ownKeys, QUICK } from './observe.js';
import { DIFFERENCES, kindsFrom, plant } from './planted.js';
import { random } from './random.js';

/**
 * Both processes are killed at random moments while the sites are compared, and mended, under writes. `TANDEM_TEST_ROUNDS`: how
 * often each.
 */
const SEED = Number(process.env['TANDEM_TEST_SEED'] ?? Date.now() % 1_000_000);
const ROUNDS = Number(process.env['TANDEM_TEST_ROUNDS'] ?? 1);
const KEYS = 3000;
const KILLS = 3;
const LONG = { timeout: ROUNDS * 400_000 };

let pair: Pair;
let writers: LiveWriters | undefined;

beforeAll(async () => {
  pair = await startPair({
    server: LONG_BACKLOG,
    env: { ...QUICK, TANDEM_SYNC_KEYS_PER_SECOND: '2000' },
  });
  for (const { name, redis } of [pair.east, pair.west])
    await until(`the first copy of ${name}`, () => redis.hexists(ownKeys().state, 'copied'));
  await writeMixed(pair.east.redis, { prefix: 'mixed', count: KEYS });
  await quiet(pair, { deadlineMs: 60_000 });
});

afterEach(async () => {
  await writers?.stop();
  writers = undefined;
});

afterAll(() => pair.close());

const next = random(SEED);

/** Kills the processes in turn while a comparison goes on, and gives what it has found. */
async function underKills(args: readonly string[]): Promise<Verified> {
  const { east, west } = pair;
  const over = new AbortController();
  const verifying = verifyAt(pair, east, ...args).finally(() => over.abort());
  verifying.catch(() => {});
  let kills = 0;
  for (; kills < KILLS && !over.signal.aborted; kills++) {
    await sleep(200 + next.below(900));
    const site = kills % 2 === 0 ? east : west;
    const from = site.log.length;
    await site.kill();
    site.start();
    await site.waitForLog('reading the replication stream', { from });
  }
  const verified = await verifying;
  expect(kills, 'kills before it was over').toBeGreaterThan(0);
  return verified;
}

test('a comparison whose processes are killed ends by itself, and finds the same', LONG, async () => {
  const { east, west } = pair;
  for (let round = 0; round < ROUNDS; round++) {
    await plant(east, west);
    writers = new LiveWriters([east, west], { seed: SEED + round, rate: 100, burst: 5 });
    const found = await underKills([]);
    expect(kindsFrom(found.result.differences), `seed ${SEED} ${found.stderr}`).toEqual(
      kindsFrom(DIFFERENCES),
    );
    expect(found.result.differing).toBe(DIFFERENCES.length);
    expect(found.result.equal).toBeGreaterThanOrEqual(KEYS);

    const mended = await underKills(['--repair', '--prefer', 'east']);
    expect(mended.result.repaired, mended.stderr).toBe(mended.result.differing);
    await writers.stop();
    writers = undefined;
    await quiet(pair, { deadlineMs: 60_000 });
    await expectEqual(east.redis, west.redis);
    const { code, result } = await verifyAt(pair, west);
    expect({ code, differing: result.differing }).toEqual({ code: 0, differing: 0 });
  }
});
