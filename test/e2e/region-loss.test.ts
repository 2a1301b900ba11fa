/** A region is lost with all it has, and brought back, as docs/guide/moving-a-region.md tells of it. */

import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { expectEqual } from '../support/equal.js';
import { type Pair, startPair } from '../support/pair.js';
import { quiet } from '../support/quiet.js';
import { until } from '../support/wait.js';
import { LONG_BACKLOG, QUICK, statusOf } from './observe.js';

const MENDED = { deadlineMs: 60_000 };
const COUNT = 300;
const LONG = { timeout: 200_000 };

let pair: Pair | undefined;

afterEach(async () => {
  await pair?.close();
  pair = undefined;
});

async function begin(config: Record<string, string>): Promise<Pair> {
  pair = await startPair({
    env: QUICK,
    server: { config: { ...LONG_BACKLOG.config, ...config } },
    proxy: true,
  });
  const { east, west } = pair;
  for (let n = 0; n < COUNT; n++) await east.redis.set(`before:${n}`, n);
  await west.redis.set('settled', 'before');
  await quiet(pair);
  return pair;
}

/** East's machines are gone; what it wrote last has not crossed. West goes on, and writes. */
async function loseEast({ east, west }: Pair): Promise<void> {
  east.network.cut();
  for (let n = 0; n < COUNT; n++) await east.redis.set(`last:${n}`, n);
  await east.redis.set('settled', 'at east, unheard of');
  await Promise.all([east.kill(), east.server.kill()]);
  for (let n = 0; n < COUNT; n++) await west.redis.set(`meanwhile:${n}`, n);
  await west.redis.set('settled', 'at west, later');
  await west.redis.del('before:0');
  expect(await west.redis.exists('last:0')).toBe(0);
  east.network.resume();
}

async function settled({ east, west }: Pair): Promise<void> {
  const isWhole = async (): Promise<boolean> => {
    const all = await Promise.all([statusOf(east), statusOf(west)]);
    return all.every(({ gap, jobs }) => !gap && jobs.waiting + jobs.active + jobs.delayed === 0);
  };
  await until(
    'both sites to be equal, without a gap',
    async () => {
      await expectEqual(east.redis, west.redis);
      return isWhole();
    },
    MENDED,
  );
}

test(
  'a region that comes back with its data brings what had not crossed, and takes what is new',
  LONG,
  async () => {
    const all = await begin({ appendonly: 'yes', appendfsync: 'always' });
    const { east, west } = all;
    await loseEast(all);
    await east.server.start();
    east.start();
    await settled(all);
    expect(await west.redis.get('last:7')).toBe('7');
    expect(await east.redis.get('meanwhile:7')).toBe('7');
    expect(await west.redis.get('settled')).toBe('at west, later');
  },
);

test('a region that comes back with nothing is filled by the other one', LONG, async () => {
  const all = await begin({});
  const { east } = all;
  await loseEast(all);
  await rm(join(east.server.dir, 'dump.rdb'), { force: true });
  await east.server.start();
  east.start();
  await settled(all);
  expect(await east.redis.get('before:7')).toBe('7');
  expect(await east.redis.get('meanwhile:7')).toBe('7');
  expect(await east.redis.exists('before:0', 'last:7')).toBe(0);
  expect(await east.redis.get('settled')).toBe('at west, later');
});
