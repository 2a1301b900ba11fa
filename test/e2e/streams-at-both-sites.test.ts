/** Streams that both sites write: entries, deliveries and trims of different entries commute, and nothing is sent or asked for them. */

import type { Redis } from 'ioredis';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { expectEqual } from '../support/equal.js';
import { type Pair, startPair } from '../support/pair.js';
import { quiet } from '../support/quiet.js';
import { statusOf } from './observe.js';

let pair: Pair;

beforeAll(async () => {
  pair = await startPair({ env: { TANDEM_LEASE_MS: '60000' } });
}, 60_000);

afterAll(() => pair.close());

beforeEach(async () => {
  await pair.east.redis.del('s');
  await quiet(pair);
});

/** What is counted of both sites since the processes began. */
async function counted(): Promise<{ conflicts: Record<string, number>[]; late: number; rejected: number }> {
  const status = await Promise.all([statusOf(pair.east), statusOf(pair.west)]);
  const rejected = await Promise.all(
    [pair.east, pair.west].map(({ redis }) => redis.xlen('tandem:{test}:rejected')),
  );
  return {
    conflicts: status.map(({ conflicts }) => conflicts),
    late: status[0].late + status[1].late,
    rejected: rejected[0]! + rejected[1]!,
  };
}

async function offset(redis: Redis): Promise<number> {
  return Number(/master_repl_offset:(\d+)/.exec(await redis.info('replication'))![1]);
}

test('entries that both sites add at once with IDs of their clocks all stay: none is rejected, listed, asked for or sent', async () => {
  // Where a site begins to add to a stream, an entry of the other one may be asked for.
  for (const { redis, name } of [pair.east, pair.west]) {
    await redis.xadd('s', '*', name, 'first');
    await quiet(pair);
  }
  const before = await counted();
  const add = async (redis: Redis, name: string): Promise<void> => {
    for (let i = 0; i < 300; i++) await redis.xadd('s', '*', name, i);
  };
  await Promise.all([add(pair.east.redis, 'east'), add(pair.west.redis, 'west')]);
  await quiet(pair);
  await expectEqual(pair.east.redis, pair.west.redis);
  expect(await pair.east.redis.xlen('s')).toBe(602);
  expect(await counted()).toEqual(before);
});

test('a trim alone reaches a site that has trimmed the stream before, and acknowledges an entry meanwhile', async () => {
  const { east, west } = pair;
  for (const id of [1, 2, 3, 4, 5]) await east.redis.xadd('s', `${id}-0`, 'from', 'east');
  await east.redis.xgroup('CREATE', 's', 'group', '0');
  await quiet(pair);
  await west.redis.xreadgroup('GROUP', 'group', 'reader', 'COUNT', 5, 'STREAMS', 's', '>');
  await west.redis.call('XTRIM', 's', 'MAXLEN', '=', 4);
  await quiet(pair);
  for (const site of [east, west]) site.pause();
  await west.redis.xack('s', 'group', '5-0');
  await east.redis.call('XTRIM', 's', 'MAXLEN', '=', 2);
  for (const site of [west, east]) site.resume();
  await quiet(pair);
  await expectEqual(east.redis, west.redis);
  expect(await west.redis.xlen('s')).toBe(2);
});

test.each([
  ['', []],
  [' that is capped', ['MAXLEN', '~', 100_000]],
] as const)(
  'the first entries of a stream%s stay, and none is rejected, when both sites begin it at once',
  async (_, trim) => {
    const before = await counted();
    const { east, west } = pair;
    const STREAMS = 200;
    for (let stream = 0; stream < STREAMS; stream++) {
      const key = `s${trim.length}:${stream}`;
      const add = async ({ redis, name }: typeof east): Promise<void> => {
        for (let i = 0; i < 5; i++) await redis.call('XADD', key, ...trim, '*', name, i);
      };
      await Promise.all([add(east), add(west)]);
    }
    await quiet(pair);
    await expectEqual(east.redis, west.redis);
    for (let stream = 0; stream < STREAMS; stream++)
      expect(await east.redis.xlen(`s${trim.length}:${stream}`)).toBe(10);
    expect((await counted()).rejected).toBe(before.rejected);
  },
  60_000,
);

test('of two entries with one ID both stay: that of the larger site name is moved behind it, also when they are many', async () => {
  const { east, west } = pair;
  for (const site of [east, west]) site.pause();
  for (const site of [east, west])
    for (const id of ['5-1', '5-2', '7-0']) await site.redis.xadd('s', id, 'from', site.name);
  await west.redis.xadd('s', '8-0', 'from', 'west');
  for (const site of [west, east]) site.resume();
  await quiet(pair);
  await expectEqual(east.redis, west.redis);
  const entries = await east.redis.xrange('s', '-', '+');
  expect(entries.map(([id, fields]) => `${id} ${fields[1]}`)).toEqual([
    '5-1 east',
    '5-2 east',
    `5-${2 ** 32 + 1} west`,
    `5-${2 ** 32 + 2} west`,
    '7-0 east',
    `7-${2 ** 32} west`,
    '8-0 west',
  ]);
});

test.each([
  ['as fast as it can', 0],
  ['so slowly that entries are trimmed before they are acknowledged', 30],
])(
  'a group that is read and acknowledged at one site %s, of a capped stream that the other adds to, costs no state and no question',
  async (_, pauseMs) => {
    const { east, west } = pair;
    await east.redis.xgroup('CREATE', 's', 'group', '0', 'MKSTREAM');
    await quiet(pair);
    const [before, offsets] = [await counted(), await Promise.all([offset(east.redis), offset(west.redis)])];
    const count = 1500;
    const read = new Set<string>();
    let deliveries = 0;
    let isOver = false;
    const reader = west.server.client();
    const reading = (async () => {
      for (;;) {
        const isLast = isOver;
        const found = await reader.xreadgroup(
          'GROUP',
          'group',
          'ann',
          'COUNT',
          10,
          'BLOCK',
          200,
          'STREAMS',
          's',
          '>',
        );
        if (found === null && isLast) return;
        await new Promise((resolve) => setTimeout(resolve, pauseMs));
        for (const [id] of (found as [string, [string, string[]][]][] | null)?.[0]?.[1] ?? []) {
          read.add(id);
          deliveries++;
          await reader.xack('s', 'group', id);
        }
      }
    })();
    for (let i = 0; i < count; i++)
      await east.redis.xadd('s', 'MAXLEN', '~', 1000, '*', 'number', i, 'padding', 'x'.repeat(50));
    await quiet(pair);
    isOver = true;
    await reading;
    reader.disconnect();
    await quiet(pair);
    await expectEqual(east.redis, west.redis);
    expect(await east.redis.xpending('s', 'group')).toEqual([0, null, null, null]);
    expect(await counted()).toEqual(before);
    // Nothing is delivered again, and nothing that was still there at the end is left out.
    expect(deliveries).toBe(read.size);
    for (const [id] of await west.redis.xrange('s', '-', '+')) expect(read.has(id)).toBe(true);
    const after = await Promise.all([offset(east.redis), offset(west.redis)]);
    // An entry is added, delivered and acknowledged at both sites, and each stands in a batch at both.
    for (const [at, end] of after.entries()) expect(end - offsets[at]!).toBeLessThan(count * 1500);
  },
  60_000,
);

test.each([
  ['is trimmed', ['XTRIM', 's', 'MAXLEN', '1']],
  ['is trimmed by its ID', ['XTRIM', 's', 'MINID', '2-0']],
  ['is trimmed with an addition', ['XADD', 's', 'MAXLEN', '1', '9-9', 'f', 'v']],
  ['is deleted', ['XDEL', 's', '1-1']],
] as const)(
  'an entry that %s at one site while the other delivers it is pending at neither, and nothing is asked for',
  async (_, [name, ...args]) => {
    const { east, west } = pair;
    for (const id of ['1-1', '2-1', '3-1']) await east.redis.xadd('s', id, 'f', 'v');
    await east.redis.xgroup('CREATE', 's', 'group', '0');
    await quiet(pair);
    const before = await counted();
    for (const site of [east, west]) site.pause();
    await west.redis.xreadgroup('GROUP', 'group', 'ann', 'COUNT', 1, 'STREAMS', 's', '>');
    await east.redis.call(name, ...args);
    for (const site of [west, east]) site.resume();
    await quiet(pair);
    await expectEqual(east.redis, west.redis);
    expect(await counted()).toEqual(before);
    expect(await west.redis.xpending('s', 'group')).toEqual([0, null, null, null]);
  },
);
