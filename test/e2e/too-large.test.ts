import { randomBytes } from 'node:crypto';
import { afterEach, expect, test } from 'vitest';
import { expectEqual } from '../support/equal.js';
import { type Pair, type Site, startPair } from '../support/pair.js';
import { quiet } from '../support/quiet.js';
import { until } from '../support/wait.js';
import { LONG_BACKLOG, QUICK, expectNothingWaits, statusOf } from './observe.js';

/** The least that a server may be set to. What is larger can be no element of a list, nor an argument of a command. */
const LIMIT = 1024 * 1024;
const SMALL = { config: { ...LONG_BACKLOG.config, 'proto-max-bulk-len': String(LIMIT) } };

let pair: Pair | undefined;

afterEach(async () => {
  await pair?.close();
  pair = undefined;
});

async function expectFlow(from: Site, to: Site): Promise<void> {
  await from.redis.incr('after');
  await quiet(pair!);
  expect(await to.redis.get('after')).toBe(await from.redis.get('after'));
}

test.each([
  { where: 'this site and its peer', east: SMALL, west: SMALL },
  { where: 'this site alone', east: SMALL, west: LONG_BACKLOG },
  { where: 'the peer alone', east: LONG_BACKLOG, west: SMALL },
])(
  'a transaction larger than a server takes ($where) is not sent as one: it is told, its keys are mended, and the link goes on',
  async (servers) => {
    pair = await startPair({ env: QUICK, east: { server: servers.east }, west: { server: servers.west } });
    const { east, west } = pair;
    await east.redis.set('before', 'x');
    const multi = east.redis.multi();
    for (let i = 0; i < 4; i++) multi.set(`part:${i}`, String(i).repeat(300_000));
    await multi.incr('counter').exec();
    await east.redis.set('behind', 'x');
    await east.waitForLog(/^a change is (too large to be stored|larger than the server of the peer takes)/);
    await expectFlow(east, west);
    await expectFlow(west, east);
    await until('the gap to be mended', async () => !(await statusOf(east)).gap, { deadlineMs: 30_000 });
    await quiet(pair);
    expect(await west.redis.strlen('part:3')).toBe(300_000);
    expect(await west.redis.exists('before', 'behind', 'counter')).toBe(3);
    await expectEqual(east.redis, west.redis);
    await expectNothingWaits(pair);
    expect((await statusOf(east)).capture.gaps).toBe(1);
  },
);

test.each([
  { where: 'this site and its peer', east: SMALL, west: SMALL, bytes: LIMIT - 10 },
  { where: 'the peer alone', east: LONG_BACKLOG, west: SMALL, bytes: 3 * LIMIT },
])(
  'a value larger than a server takes ($where) stays where it is, which is shown for as long as it lasts, and the link goes on',
  async ({ east: eastServer, west: westServer, bytes }) => {
    pair = await startPair({ env: QUICK, east: { server: eastServer }, west: { server: westServer } });
    const { east, west } = pair;
    // What can be compressed is sent as a state, and fits.
    await east.redis.set('huge', randomBytes(bytes));
    await east.waitForLog(/^a change is (too large to be stored|larger than the server of the peer takes)/);
    await expectFlow(east, west);
    await expectFlow(west, east);
    await east.waitForLog('the sites have been compared, and hold different data', { deadlineMs: 40_000 });
    expect((await statusOf(east)).gap).toBe(true);
    expect(await west.redis.exists('huge')).toBe(0);
    // Once it fits again it crosses like any other write.
    await east.redis.set('huge', 'small');
    await quiet(pair);
    await expectEqual(east.redis, west.redis);
    await expectNothingWaits(pair);
  },
);
