/**
 * What the check for concurrent writes costs when there are none, and what the window takes while the peer is away. West cannot
 * reach east and has written `entries` keys that east knows nothing of; then east is loaded with other keys, and west applies
 * them. With no entries the check ends at its first question; with a million it looks up every key, and finds none.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { finished, start } from './programs.mjs';
import { CpuMeter, memory } from './usage.mjs';
import { until } from './wait.mjs';

const VALUE = 'x'.repeat(100);
const CLIENTS = 50;
/** The slowest load worth waiting for. */
const MIN_RATE = 2_000;
/** What is left of memory that is of no use any more is let go of after this. */
const SETTLE_MS = 3_000;
const OWN = 'tandem:{bench}';

export async function measureWindow({ servers, pair, link, benchmark, requests, keys, pipeline, entries }) {
  const { east, west } = servers;
  const deadlineMs = 20_000 + (Math.max(requests, entries) / MIN_RATE) * 1000;
  const load = async (site, name, count) => {
    const args = ['-h', '127.0.0.1', '-p', servers[site].port, '-n', count, '-r', keys, '-c', CLIENTS];
    const child = start(
      `${name}-load`,
      benchmark,
      [...args, '-P', pipeline, '-q', 'SET', `${name}:__rand_int__`, VALUE].map(String),
    );
    await finished(child, deadlineMs);
  };
  const memoryMb = async () => {
    await delay(SETTLE_MS);
    return memory(pair.west.pid).nowMb;
  };

  // Both processes have worked once, so that what they need anyway is not counted for the window.
  await load('east', 'warm', 50_000);
  await load('west', 'warm', 50_000);
  await crossed(east.redis, west.redis, 'warm:east', deadlineMs);
  await crossed(west.redis, east.redis, 'warm:west', deadlineMs);
  const before = await memoryMb();

  link.cut();
  if (entries > 0) {
    const begin = Number(await west.redis.hget(`${OWN}:state`, 'next'));
    await load('west', 'window', entries);
    await until('the writes to be captured', deadlineMs, async () => {
      return Number(await west.redis.hget(`${OWN}:state`, 'next')) >= begin + entries;
    });
  }
  const away = await memoryMb();

  const meter = new CpuMeter([
    ['east tandem', pair.east],
    ['west tandem', pair.west],
    ['west server', west.child],
  ]);
  const began = performance.now();
  await load('east', 'traffic', requests);
  await crossed(east.redis, west.redis, 'last:east', deadlineMs);
  const elapsedMs = performance.now() - began;
  const seconds = meter.stop();

  link.restore();
  await until('the peer to have it all', deadlineMs, async () => {
    return (await west.redis.llen(`${OWN}:changes`)) === 0;
  });
  await delay(SETTLE_MS);
  await crossed(west.redis, east.redis, 'last:west', deadlineMs);
  const back = await memoryMb();
  return {
    changesPerSecond: (requests / elapsedMs) * 1000,
    cpuMicroseconds: Object.fromEntries(
      Object.entries(seconds).map(([name, used]) => [name, (used / requests) * 1e6]),
    ),
    memoryMb: { before, away, back, peak: memory(pair.west.pid).peakMb },
  };
}

/** Writes a key at one server, and waits for it at the other. */
async function crossed(from, to, key, deadlineMs) {
  await from.set(key, 'yes');
  await until(`${key} to cross`, deadlineMs, () => to.exists(key));
}
