/**
 * How many changes a second cross: from the start of the load until the other site holds the last write, a key that is written
 * after the load has ended. The load is what redis-benchmark makes: SET of 100 bytes on random keys, 50 connections.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { finished, start } from './programs.mjs';
import { CpuMeter, memory } from './usage.mjs';
import { until } from './wait.mjs';

const VALUE = 'x'.repeat(100);
const CLIENTS = 50;
const ARRIVE_DEADLINE_MS = 120_000;
const EQUAL_DEADLINE_MS = 10_000;
/** The slowest load worth waiting for. */
const MIN_RATE = 2_000;

/**
 * One measurement. `directions`: which sites are loaded. `sameKeys`: whether both write the same keys.
 * Gives changes per second, processor microseconds per change by program, and memory.
 */
export async function measureThroughput({
  servers,
  pair,
  benchmark,
  requests,
  keys,
  pipeline,
  directions,
  sameKeys,
}) {
  const deadlineMs = 10_000 + (requests / MIN_RATE) * 1000;
  const followed = [
    ['east server', servers.east.child],
    ['west server', servers.west.child],
    ...(pair
      ? [
          ['east tandem', pair.east],
          ['west tandem', pair.west],
        ]
      : []),
  ];
  const loads = [];
  const began = performance.now();
  for (const [from] of directions) {
    const args = ['-h', '127.0.0.1', '-p', servers[from].port, '-n', requests, '-r', keys, '-c', CLIENTS];
    const key = `${sameKeys ? 'key' : from}:__rand_int__`;
    const load = start(
      `${from}-load`,
      benchmark,
      [...args, '-P', pipeline, '-q', 'SET', key, VALUE].map(String),
    );
    loads.push(load);
    followed.push(['benchmark', load]);
  }
  const meter = new CpuMeter(followed);
  const arrivals = directions.map(async ([from, to], i) => {
    await finished(loads[i], deadlineMs);
    await servers[from].redis.set(`last:${from}`, 'yes');
    await arrived(servers[to].redis, `last:${from}`);
    return performance.now();
  });
  const arrivedAt = Math.max(...(await Promise.all(arrivals)));
  const changes = requests * directions.length;
  const seconds = meter.stop();
  const result = {
    changesPerSecond: changes / ((arrivedAt - began) / 1000),
    cpuMicroseconds: Object.fromEntries(
      Object.entries(seconds).map(([name, used]) => [name, (used / changes) * 1e6]),
    ),
    memory: pair ? { east: memory(pair.east.pid), west: memory(pair.west.pid) } : undefined,
  };
  await until('both sites to hold as many keys', EQUAL_DEADLINE_MS, async () => {
    const [east, west] = await Promise.all([count(servers.east.redis), count(servers.west.redis)]);
    return east === west;
  });
  return result;
}

async function arrived(redis, key) {
  const deadline = performance.now() + ARRIVE_DEADLINE_MS;
  while (performance.now() < deadline) {
    if (await redis.exists(key)) return;
    await delay(1);
  }
  throw new Error(`the last write did not cross within ${ARRIVE_DEADLINE_MS / 1000} s`);
}

/** Keys of the application. */
async function count(redis) {
  const [all, own] = await Promise.all([redis.dbsize(), redis.keys('tandem:*')]);
  return all - own.length;
}
