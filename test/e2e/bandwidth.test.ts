import { randomBytes } from 'node:crypto';
import { afterEach, expect, test } from 'vitest';
import { BURST_MS } from '../../src/async/pace.js';
import { expectEqual } from '../support/equal.js';
import { writeMixed } from '../support/mixed-keys.js';
import { type Pair, type PairOptions, type Site, startPair } from '../support/pair.js';
import { quiet } from '../support/quiet.js';
import { until } from '../support/wait.js';
import { verifyAt } from './long-jobs.js';
import { QUICK, statusOf } from './observe.js';

const RATE = 512 * 1024;
const BATCH_BYTES = 32 * 1024;
/** What a batch has beside its commands, and what goes without waiting: the greeting, the clock, how the site is. */
const BESIDE_BYTES = 16 * 1024;
const LONG = { deadlineMs: 60_000 };

let pair: Pair | undefined;

afterEach(async () => {
  await pair?.close();
  pair = undefined;
});

async function bounded(options: PairOptions = {}): Promise<Pair> {
  pair = await startPair({
    proxy: true,
    ...options,
    env: {
      ...QUICK,
      TANDEM_WAN_BYTES_PER_SECOND: String(RATE),
      TANDEM_BATCH_BYTES: String(BATCH_BYTES),
      TANDEM_COMPRESS: 'none',
      ...options.env,
    },
  });
  return pair;
}

/**
 * Watches what a site sends to its peer. Nothing arrives before it is sent: counted from now on, what has come may never be more than
 * the bound allows in the time that has passed, in the burst, and one batch.
 */
function watched({ network }: Site): { bytes: number; worst: number } {
  const began = performance.now();
  const seen = { bytes: 0, worst: -Infinity };
  network.onBytes = (bytes) => {
    seen.bytes += bytes;
    const allowed = (RATE * (performance.now() - began + BURST_MS)) / 1000 + BATCH_BYTES + BESIDE_BYTES;
    seen.worst = Math.max(seen.worst, seen.bytes - allowed);
  };
  return seen;
}

async function write(site: Site, kilobytes: number): Promise<void> {
  const pipeline = site.redis.pipeline();
  for (let n = 0; n < kilobytes; n++) pipeline.set(`noise:${site.name}:${n}`, randomBytes(1000));
  await pipeline.exec();
}

test('what is written at once crosses no faster than the bound, both ways, and the status says what holds it back', async () => {
  const { east, west } = await bounded();
  const sent = [watched(east), watched(west)];
  await Promise.all([write(east, 3000), write(west, 1500)]);
  await until('the bound to hold back', async () => (await statusOf(east)).outbound.isHeldBack);
  expect((await statusOf(east)).outbound).toMatchObject({
    state: 'streaming',
    detail: 'held back by wanBytesPerSecond',
  });
  await east.waitForLog('the bound of the bandwidth holds changes back');
  await quiet(pair!, LONG);
  await expectEqual(east.redis, west.redis);
  expect(sent[0]!.bytes).toBeGreaterThan(3000 * 1000);
  expect(sent[1]!.bytes).toBeGreaterThan(1500 * 1000);
  expect(sent.map(({ worst }) => worst)).toEqual([expect.toSatisfy(isWithin), expect.toSatisfy(isWithin)]);
  await until('nothing to be held back', async () => {
    const { state, isHeldBack, detail } = (await statusOf(east)).outbound;
    return state === 'caught-up' && !isHeldBack && detail === undefined;
  });
});

test('what waited for a peer that was away crosses no faster, and acknowledgements go with it', async () => {
  const { east, west } = await bounded();
  east.network.cut();
  await write(east, 2000);
  const sent = watched(east);
  east.network.resume();
  await write(west, 200);
  await quiet(pair!, LONG);
  await expectEqual(east.redis, west.redis);
  expect(sent.bytes).toBeGreaterThan(2000 * 1000);
  expect(sent.worst).toSatisfy(isWithin);
});

test('a first copy and a comparison cross no faster', async () => {
  const { east, west } = await bounded({ start: false });
  await write(east, 1500);
  await writeMixed(east.redis, { prefix: 'mixed', count: 2000 });
  const sent = [watched(east), watched(west)];
  east.start();
  west.start();
  await until('the first copy to be there', async () => (await west.redis.dbsize()) >= 3000, LONG);
  const { code, stderr } = await verifyAt(pair!, east);
  expect(code, stderr).toBe(0);
  await expectEqual(east.redis, west.redis);
  expect(sent[0]!.bytes).toBeGreaterThan(1500 * 1000);
  expect(sent.map(({ worst }) => worst)).toEqual([expect.toSatisfy(isWithin), expect.toSatisfy(isWithin)]);
});

function isWithin(worst: number): boolean {
  return worst <= 0;
}
