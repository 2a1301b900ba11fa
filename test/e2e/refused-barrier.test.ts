import { afterEach, expect, test } from 'vitest';
import { expectEqual } from '../support/equal.js';
import { type Pair, startPair } from '../support/pair.js';
import { quiet } from '../support/quiet.js';
import { until } from '../support/wait.js';
import { QUICK, expectNothingWaits, statusOf } from './observe.js';

let pair: Pair | undefined;

afterEach(async () => {
  await pair?.close();
  pair = undefined;
});

test('a server that is full when a list must be looked at holds up the changes for as long, and no longer', async () => {
  pair = await startPair({ proxy: true, env: QUICK });
  const { east, west } = pair;
  for (const { network } of [east, west]) network.cut();
  await Promise.all([east.redis.rpush('list', 'east'), west.redis.rpush('list', 'west')]);
  await until('the push to be in the change list', async () => {
    const { capture, outbound } = await statusOf(west);
    return capture.nextSequence - 1 > outbound.seenByPeer;
  });
  await west.redis.config('SET', 'maxmemory', '1');
  for (const { network } of [east, west]) network.resume();
  await west.waitForLog("application of the peer's changes is backing off");
  await west.redis.config('SET', 'maxmemory', '0');
  await quiet(pair);
  expect(await west.redis.llen('list')).toBe(2);
  await expectEqual(east.redis, west.redis);
  await expectNothingWaits(pair);
});
