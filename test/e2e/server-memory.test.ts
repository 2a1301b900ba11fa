import { randomBytes } from 'node:crypto';
import { afterEach, expect, test } from 'vitest';
import { expectEqual } from '../support/equal.js';
import { type Pair, startPair } from '../support/pair.js';
import { quiet } from '../support/quiet.js';
import { until } from '../support/wait.js';
import { QUICK, expectNothingWaits, ownKeys, statusOf } from './observe.js';

const MIB = 2 ** 20;
const MAXMEMORY = 96 * MIB;
const VALUE_BYTES = 10_000;
const KEYS = 40;
/** More than the server has, and less than the bound of the change list. */
const WRITTEN = 200 * MIB;
const SHORT = /memory runs short/;
const DROPPED = /dropped to leave the server's memory/;
const LONG = { timeout: 120_000 };

let pair: Pair | undefined;
afterEach(async () => {
  await pair?.close();
  pair = undefined;
});

/** Overwrites a few keys again and again: the data stays as it is, the changes grow. Rejects with the first write that is refused. */
async function overwrite({ redis }: Pair['east'], bytes: number): Promise<void> {
  const value = randomBytes(VALUE_BYTES);
  for (let written = 0, n = 0; written < bytes; written += VALUE_BYTES)
    await redis.set(`key:${n++ % KEYS}`, value);
}

test(
  'changes that wait for a peer give way before the application is refused a write, with a warning before',
  LONG,
  async () => {
    pair = await startPair({
      proxy: true,
      env: QUICK,
      server: { config: { maxmemory: String(MAXMEMORY), 'repl-backlog-size': '8mb' } },
    });
    const { east, west } = pair;
    east.network.cut();
    await overwrite(east, WRITTEN);
    const lines = east.log.map(({ msg }) => msg);
    const [short, dropped] = [SHORT, DROPPED].map((text) => lines.findIndex((line) => text.test(line)));
    expect(short).toBeGreaterThan(-1);
    expect(dropped).toBeGreaterThan(short!);
    // Said once in a minute, and not at each look.
    expect(lines.filter((line) => SHORT.test(line)).length).toBeLessThanOrEqual(2);
    expect((await statusOf(east)).capture.gaps).toBeGreaterThan(0);
    east.network.resume();
    await quiet(pair);
    await until('the gap to be repaired', async () => !(await statusOf(east)).gap, { deadlineMs: 30_000 });
    await expectEqual(east.redis, west.redis);
    await expectNothingWaits(pair);
  },
);

test(
  'changes give way to data that is not replicated too, though nothing is added to them',
  LONG,
  async () => {
    pair = await startPair({
      proxy: true,
      env: { ...QUICK, TANDEM_FILTERS_KEYS_EXCLUDE: 'local:*' },
      server: { config: { maxmemory: String(MAXMEMORY), 'repl-backlog-size': '8mb' } },
    });
    const { east, west } = pair;
    east.network.cut();
    await overwrite(east, 30 * MIB);
    const value = randomBytes(VALUE_BYTES);
    const waiting = async (): Promise<number> => Number(await east.redis.hget(ownKeys().state, 'bytes'));
    await until('the changes to wait', async () => (await waiting()) > 20 * MIB);
    for (let n = 0; n < (60 * MIB) / VALUE_BYTES; n++) await east.redis.set(`local:${n}`, value);
    await until('the changes to have given way', async () => (await waiting()) < MIB);
    await east.waitForLog(DROPPED);
    await east.redis.del(...(await east.redis.keys('local:*')));
    east.network.resume();
    await quiet(pair);
    await until('the gap to be repaired', async () => !(await statusOf(east)).gap, { deadlineMs: 30_000 });
    await expectEqual(east.redis, west.redis);
  },
);

test('a short absence costs no gap, although the server is full', async () => {
  pair = await startPair({ proxy: true, env: QUICK });
  const { east, west } = pair;
  east.network.cut();
  await overwrite(east, 4 * MIB);
  await east.redis.config('SET', 'maxmemory', '1');
  await east.waitForLog(SHORT);
  await expect(east.redis.set('refused', 'x')).rejects.toThrow('OOM');
  await east.redis.del('key:0');
  await east.redis.config('SET', 'maxmemory', '0');
  east.network.resume();
  await quiet(pair);
  expect((await statusOf(east)).capture.gaps).toBe(0);
  await expectEqual(east.redis, west.redis);
});
