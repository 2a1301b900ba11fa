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
const STATE = 'tandem:{bench}:state';

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
  const followed = followedOf(servers, pair);
  const loads = [];
  const began = performance.now();
  for (const [from] of directions) {
    const { port } = servers[from];
    const name = sameKeys ? 'key' : from;
    const load = start(`${from}-load`, benchmark, loadArgs({ port, requests, keys, pipeline, name }));
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
  const result = resultOf({ changes, elapsedMs: arrivedAt - began, seconds, pair });
  await until('both sites to hold as many keys', EQUAL_DEADLINE_MS, async () => {
    const [east, west] = await Promise.all([count(servers.east.redis), count(servers.west.redis)]);
    return east === west;
  });
  return result;
}

/** All is written while east cannot reach west, whose keys it has by then. Counted from the moment on at which the link comes back. */
export async function measureCatchUp({ servers, pair, link, ...load }) {
  const { east, west } = servers;
  await measureThroughput({ ...load, servers, pair });
  await Promise.all([
    east.redis.del('last:east'),
    until('a removal', EQUAL_DEADLINE_MS, () => gone(west.redis)),
  ]);
  link.cut();
  const begin = Number(await east.redis.hget(STATE, 'next'));
  const { requests, benchmark, keys, pipeline } = load;
  const deadlineMs = 10_000 + (requests / MIN_RATE) * 1000;
  const child = start(
    'east-load',
    benchmark,
    loadArgs({ port: east.port, requests, keys, pipeline, name: 'east' }),
  );
  await finished(child, deadlineMs);
  await east.redis.set('last:east', 'yes');
  await until('all to be captured', deadlineMs, async () => {
    return Number(await east.redis.hget(STATE, 'next')) > begin + requests;
  });
  const meter = new CpuMeter(followedOf(servers, pair));
  const began = performance.now();
  link.restore();
  await arrived(west.redis, 'last:east');
  const elapsedMs = performance.now() - began;
  return resultOf({ changes: requests, elapsedMs, seconds: meter.stop(), pair });
}

async function gone(redis) {
  return (await redis.exists('last:east')) === 0;
}

function loadArgs({ port, requests, keys, pipeline, name }) {
  const args = ['-h', '127.0.0.1', '-p', port, '-n', requests, '-r', keys, '-c', CLIENTS];
  return [...args, '-P', pipeline, '-q', 'SET', `${name}:__rand_int__`, VALUE].map(String);
}

function followedOf(servers, pair) {
  const tandems = pair
    ? [
        ['east tandem', pair.east],
        ['west tandem', pair.west],
      ]
    : [];
  return [['east server', servers.east.child], ['west server', servers.west.child], ...tandems];
}

function resultOf({ changes, elapsedMs, seconds, pair }) {
  return {
    changesPerSecond: (changes / elapsedMs) * 1000,
    cpuMicroseconds: Object.fromEntries(
      Object.entries(seconds).map(([name, used]) => [name, (used / changes) * 1e6]),
    ),
    memory: pair ? { east: memory(pair.east.pid), west: memory(pair.west.pid) } : undefined,
  };
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
