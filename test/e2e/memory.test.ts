import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Pair, startPair } from '../support/pair.js';
import { quiet } from '../support/quiet.js';
import { until } from '../support/wait.js';
import { LONG_BACKLOG, QUICK, expectNothingWaits, statusOf } from './observe.js';

const MiB = 2 ** 20;
const CHANGES = 1_000_000;
const FIRST_LOOK = 300_000;
const PIPELINE = 1000;
const KEYS = 100_000;
const LIMIT_BYTES = 150 * MiB;
/** What may lie between two looks at one and the same: a heap grows and shrinks in steps. */
const STEP_BYTES = 25 * MiB;
const DEADLINE_MS = 240_000;

let pair: Pair;

beforeAll(async () => {
  pair = await startPair({ env: QUICK, server: LONG_BACKLOG });
});

afterAll(() => pair.close());

test(
  'the memory of both processes stays under 150 MB under load, and does not grow with what has passed',
  async () => {
    const { east, west } = pair;
    const peaks = { east: 0, west: 0 };
    const stop = new AbortController();
    const looking = (async () => {
      while (!stop.signal.aborted) {
        for (const site of [east, west]) {
          const { memoryBytes } = await statusOf(site);
          peaks[site.name as 'east' | 'west'] = Math.max(peaks[site.name as 'east' | 'west'], memoryBytes);
        }
        await pause(50);
      }
    })();
    await write(0, FIRST_LOOK);
    const early = { ...peaks };
    await write(FIRST_LOOK, CHANGES);
    stop.abort();
    await looking;
    const shown = `peaks in MiB: ${inMiB(early)} up to ${FIRST_LOOK}, ${inMiB(peaks)} up to ${CHANGES}`;
    for (const site of ['east', 'west'] as const) {
      expect(peaks[site], shown).toBeLessThan(LIMIT_BYTES);
      expect(peaks[site] - early[site], shown).toBeLessThan(STEP_BYTES);
    }
    expect(await west.redis.get('key:99999')).toBe(String(CHANGES - 1));
    await quiet(pair, { deadlineMs: DEADLINE_MS });
    await expectNothingWaits(pair);
  },
  DEADLINE_MS,
);

/** Writes at full speed, and waits until all of it has crossed. */
async function write(from: number, to: number): Promise<void> {
  for (let done = from; done < to; done += PIPELINE) {
    const pipeline = pair.east.redis.pipeline();
    for (let i = done; i < done + PIPELINE; i++) pipeline.set(`key:${i % KEYS}`, i);
    await pipeline.exec();
  }
  const last = `key:${(to - 1) % KEYS}`;
  await until('the last write to cross', async () => (await pair.west.redis.get(last)) === String(to - 1), {
    deadlineMs: DEADLINE_MS,
  });
}

function inMiB({ east, west }: { east: number; west: number }): string {
  return `${Math.round(east / MiB)} at east, ${Math.round(west / MiB)} at west`;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}
