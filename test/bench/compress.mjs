/**
 * What compression does to the bytes on the link, and what it costs: one kind of writes at east, over a link that counts what east's
 * process sends to west's server.
 */
import { fileURLToPath } from 'node:url';
import { finished, start } from './programs.mjs';
import { CpuMeter } from './usage.mjs';
import { until } from './wait.mjs';

const LOAD = fileURLToPath(new URL('compress-load.mjs', import.meta.url));
/** The slowest load worth waiting for. */
const MIN_RATE = 1_000;
/** What a busy machine may take before anything crosses. */
const START_MS = 200_000;
/** The processes have worked once before it is measured. */
const WARM_UP = 5_000;

export const KINDS = ['json', 'session', 'counter', 'random'];
/** What this Node.js packs by. */
export const ALGORITHMS = [
  'none',
  'deflate-raw',
  'brotli',
  ...(process.versions.zstd === undefined ? [] : ['zstd']),
];

/** @param rate writes a second; 0: as fast as the server takes them */
export async function measureCompression({ servers, pair, link, kind, count, rate }) {
  const deadlineMs = START_MS + (count / MIN_RATE) * 1000;
  const load = async (much) => {
    const child = start('load', process.execPath, [
      LOAD,
      JSON.stringify({ port: servers.east.port, kind, count: much, rate }),
    ]);
    await finished(child, deadlineMs);
    const key = `last:${much}`;
    await servers.east.redis.set(key, 'yes');
    await until(`${key} to cross`, deadlineMs, () => servers.west.redis.exists(key));
  };
  await load(WARM_UP);
  const meter = new CpuMeter([
    ['east tandem', pair.east],
    ['west tandem', pair.west],
  ]);
  const [sentBefore, began] = [link.sentBytes(), performance.now()];
  await load(count);
  const seconds = meter.stop();
  return {
    bytesPerChange: (link.sentBytes() - sentBefore) / count,
    changesPerSecond: (count / (performance.now() - began)) * 1000,
    cpuMicroseconds: Object.fromEntries(
      Object.entries(seconds).map(([name, used]) => [name, (used / count) * 1e6]),
    ),
  };
}
