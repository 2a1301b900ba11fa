import { afterAll, beforeAll, expect, test } from 'vitest';
import { ReplicationTap } from '../support/command-catalogue/replication-tap.js';
import { expectEqual } from '../support/equal.js';
import { type Pair, type Site, startPair } from '../support/pair.js';
import { quiet } from '../support/quiet.js';
import { until } from '../support/wait.js';
import { LONG_BACKLOG, QUICK, expectNothingWaits, ownKeys, statusOf } from './observe.js';

const INCREMENTS = 10_000;

let pair: Pair;

beforeAll(async () => {
  pair = await startPair({ env: QUICK, server: LONG_BACKLOG });
});

afterAll(() => pair.close());

test('a counter that both sites increase 10,000 times at once ends at 20,000', async () => {
  const { east, west } = pair;
  await Promise.all([increase(east), increase(west)]);
  await quiet(pair, { deadlineMs: 40_000 });
  expect([await east.redis.get('counter'), await west.redis.get('counter')]).toEqual([
    String(2 * INCREMENTS),
    String(2 * INCREMENTS),
  ]);
});

test('a change crosses once: what was captured is what was written here', async () => {
  const { east, west } = pair;
  await expectNothingWaits(pair);
  const before = await Promise.all([changesOf(east), changesOf(west)]);
  for (let i = 0; i < 500; i++) await east.redis.set(`once:${i}`, i);
  for (let i = 0; i < 300; i++) await west.redis.lpush('once:list', i);
  await until(
    'the last changes to cross',
    async () =>
      (await west.redis.exists('once:499')) + ((await east.redis.llen('once:list')) === 300 ? 1 : 0) === 2,
  );
  await expectNothingWaits(pair);
  const after = await Promise.all([changesOf(east), changesOf(west)]);
  expect(after.map((count, site) => count - before[site]!)).toEqual([500, 300]);
  await expectEqual(east.redis, west.redis);
});

test('after a burst both streams fall silent but for keys of Tandem itself', async () => {
  const { east, west } = pair;
  const taps = await Promise.all([east, west].map(({ server }) => ReplicationTap.open(server.port)));
  await Promise.all([increase(east), increase(west)]);
  await quiet(pair, { deadlineMs: 40_000 });
  await expectNothingWaits(pair);
  const lengths = taps.map((tap) => tap.commands.length);
  const own = ownKeys().prefix;
  // Long enough for a change that goes round to come by many times, at this latency.
  await pause(1500);
  const strange = taps.flatMap((tap, site) =>
    tap.commands
      .slice(lengths[site])
      .filter(
        ([name, key]) => !FRAME.has(String(name).toUpperCase()) && !key?.toString('latin1').startsWith(own),
      )
      .map((command) => command.map((argument) => argument.toString('latin1')).join(' ')),
  );
  expect(strange).toEqual([]);
  // Not even much of those: the lease, the status, and nothing for each of the changes.
  for (const [site, tap] of taps.entries()) expect(tap.commands.length - lengths[site]!).toBeLessThan(40);
  for (const tap of taps) tap.close();
});

/** What only frames the commands in a stream. */
const FRAME = new Set(['SELECT', 'MULTI', 'EXEC', 'PING', 'REPLCONF']);

async function increase(site: Site): Promise<void> {
  for (let done = 0; done < INCREMENTS; done += 100) {
    const pipeline = site.redis.pipeline();
    for (let i = 0; i < 100; i++) pipeline.incr('counter');
    await pipeline.exec();
  }
}

async function changesOf(site: Site): Promise<number> {
  return (await statusOf(site)).capture.nextSequence;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}
