/** Streams in the order of arrival (`streams.arrival`): whoever reads by ID at either site sees each entry of both exactly once. */

import type { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { type Pair, type Site, startPair } from '../support/pair.js';
import { quiet } from '../support/quiet.js';
import { until } from '../support/wait.js';
import { verifyAt } from './long-jobs.js';
import { LONG_BACKLOG, QUICK, statusOf } from './observe.js';

const ENV = { ...QUICK, TANDEM_STREAMS_ARRIVAL: 'log*' };
const COUNT = 150;

let pair: Pair;

beforeAll(async () => {
  pair = await startPair({ env: ENV, server: LONG_BACKLOG, proxy: true });
}, 60_000);

afterAll(() => pair.close());

const readers: { stop(): Promise<void> }[] = [];
afterEach(async () => {
  for (const reader of readers.splice(0)) await reader.stop();
});

type Read = [string, [string, string[]][]][] | null;

/** Reads a stream with a client of its own until it is stopped, and tells what it has seen. */
function reading(site: Site, read: (client: Redis) => Promise<Read>): string[] {
  const seen: string[] = [];
  const client = site.server.client();
  const over = new AbortController();
  const run = (async () => {
    while (!over.signal.aborted)
      for (const [, fields] of (await read(client))?.[0]?.[1] ?? []) seen.push(fields[1]!);
  })();
  readers.push({
    stop: async () => {
      over.abort();
      await run;
      client.disconnect();
    },
  });
  return seen;
}

function byId(site: Site, stream: string): string[] {
  let last = '0';
  return reading(site, async (client) => {
    const found: Read = await client.xread('BLOCK', 100, 'STREAMS', stream, last);
    last = found?.[0]?.[1].at(-1)?.[0] ?? last;
    return found;
  });
}

async function inGroup(site: Site, stream: string): Promise<string[]> {
  await site.redis.xgroup('CREATE', stream, 'group', '0', 'MKSTREAM');
  const next = ['GROUP', 'group', 'ann', 'BLOCK', 100, 'STREAMS', stream, '>'] as const;
  return reading(site, async (client) => (await client.call('XREADGROUP', ...next)) as Read);
}

async function adding(site: Site, stream: string, { pauseMs = 0, cap = 0 } = {}): Promise<void> {
  for (let i = 0; i < COUNT; i++) {
    const entry = ['*', 'from', `${site.name} ${i}`];
    await site.redis.call('XADD', stream, ...(cap > 0 ? ['MAXLEN', '~', cap] : []), ...entry);
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
  }
}

function expected(name: string): string[] {
  return Array.from({ length: COUNT }, (_, i) => `${name} ${i}`);
}

/** Each entry of both sites once, those of one site in their order. */
async function expectAll(readings: readonly string[][]): Promise<void> {
  for (const seen of readings) {
    await until('all entries to be read', () => seen.length >= 2 * COUNT, { deadlineMs: 20_000 });
    for (const name of ['east', 'west'])
      expect(seen.filter((one) => one.startsWith(name))).toEqual(expected(name));
    expect(seen).toHaveLength(2 * COUNT);
  }
}

async function expectNothingToSettle(): Promise<void> {
  for (const site of [pair.east, pair.west]) {
    const { late, conflicts } = await statusOf(site);
    expect([late, conflicts]).toEqual([0, {}]);
    expect(await site.redis.xlen('tandem:{test}:rejected')).toBe(0);
  }
}

test.each([
  [5, 0],
  [20, 80],
])(
  'with %i ms between additions at both sites, %i ms apart, readers by ID and groups at both sites see each entry once',
  async (pauseMs, delayMs) => {
    const { east, west } = pair;
    for (const site of [east, west]) site.network.delay(delayMs);
    const stream = `log ${delayMs}`;
    const readings = [byId(east, stream), byId(west, stream)];
    for (const site of [east, west]) readings.push(await inGroup(site, stream));
    await Promise.all([east, west].map((site) => adding(site, stream, { pauseMs })));
    await expectAll(readings);
    await quiet(pair);
    for (const site of [east, west]) site.network.delay(0);
    expect(await east.redis.xlen(stream)).toBe(await west.redis.xlen(stream));
    await expectNothingToSettle();
    expect((await verifyAt(pair, east)).code).toBe(0);
  },
  60_000,
);

test('a cap that is not reached takes nothing, and one that is reached leaves as many as it says, at both sites', async () => {
  const { east, west } = pair;
  const readings = [byId(east, 'log roomy'), byId(west, 'log roomy')];
  await Promise.all([east, west].map((site) => adding(site, 'log roomy', { cap: 10_000 })));
  await expectAll(readings);
  await quiet(pair);
  for (const site of [east, west]) {
    expect(await site.redis.xlen('log roomy')).toBe(2 * COUNT);
    await site.redis.call('XADD', 'log capped', 'MAXLEN', '=', 20, '*', 'from', 'first');
  }
  for (const site of [east, west]) site.pause();
  for (const site of [east, west]) await adding(site, 'log capped');
  for (const site of [west, east]) site.resume();
  await east.redis.call('XADD', 'log capped', 'MAXLEN', '=', 20, '*', 'from', 'last');
  await quiet(pair);
  await east.redis.call('XADD', 'log capped', 'MAXLEN', '=', 20, '*', 'from', 'very last');
  await quiet(pair);
  for (const site of [east, west]) {
    const last = await site.redis.xrevrange('log capped', '+', '-', 'COUNT', 1);
    expect(last[0]![1]).toEqual(['from', 'very last']);
    expect(await site.redis.xlen('log capped')).toBe(20);
  }
  await expectNothingToSettle();
}, 60_000);

test('when both processes are killed again and again, nothing is missed or seen twice', async () => {
  const { east, west } = pair;
  const readings = [byId(east, 'log killed'), byId(west, 'log killed')];
  const over = new AbortController();
  const killing = (async () => {
    for (let i = 0; !over.signal.aborted && i < 6; i++) {
      const site = i % 2 === 0 ? east : west;
      await new Promise((resolve) => setTimeout(resolve, 150));
      await site.kill();
      site.start();
    }
  })();
  await Promise.all([east, west].map((site) => adding(site, 'log killed', { pauseMs: 10, cap: 10_000 })));
  over.abort();
  await killing;
  await expectAll(readings);
}, 60_000);

test('what names an entry, or belongs to a group, stays at its site and is counted', async () => {
  const { east, west } = pair;
  const id = (await east.redis.xadd('log local', '*', 'f', 'v'))!;
  await quiet(pair);
  const before = (await statusOf(east)).capture.skippedTotal['of-arrival'] ?? 0;
  await east.redis.xgroup('CREATE', 'log local', 'of east', '0');
  await east.redis.xreadgroup('GROUP', 'of east', 'ann', 'STREAMS', 'log local', '>');
  await east.redis.xdel('log local', id);
  await quiet(pair);
  expect(await west.redis.xlen('log local')).toBe(1);
  expect(await west.redis.xinfo('GROUPS', 'log local')).toEqual([]);
  await until('the skipped ones to be counted', async () => {
    return ((await statusOf(east)).capture.skippedTotal['of-arrival'] ?? 0) > before;
  });
}, 60_000);
