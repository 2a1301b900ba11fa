import { expect, test } from 'vitest';
import { BURST_MS, Pace } from '../../../src/async/pace.js';

const NEVER = new AbortController().signal;

test('what is spent is waited for, at the rate of what is scarcer', () => {
  let now = 1e6;
  const pace = new Pace({ keys: 100, bytes: 1000 }, () => now);
  expect(pace.waitMs).toBe(0);
  pace.spend({ keys: 1, bytes: 500 });
  expect(pace.waitMs).toBe(500 - BURST_MS);
  pace.spend({ keys: 100, bytes: 0 });
  expect(pace.waitMs).toBe(1500 - BURST_MS);
  now += 1500;
  expect(pace.waitMs).toBe(0);
});

test('no more is spent in any time than the rate allows in it and in the burst, and what was spent last', () => {
  let now = 1e6;
  const pace = new Pace({ keys: 0, bytes: 1000 }, () => now);
  const sent: { at: number; bytes: number }[] = [];
  for (let step = 0; step < 3000; step++) {
    // Idle for a while now and then.
    if (step % 700 > 100 && pace.waitMs === 0) {
      const bytes = 1 + (step % 97);
      pace.spend({ keys: 0, bytes });
      sent.push({ at: now, bytes });
    }
    now += 7;
  }
  expect(sent.length).toBeGreaterThan(100);
  for (const [from, first] of sent.entries()) {
    let bytes = 0;
    for (const one of sent.slice(from)) {
      bytes += one.bytes;
      expect(bytes).toBeLessThanOrEqual(one.at - first.at + BURST_MS + one.bytes);
    }
  }
});

test('a limit of 0 is none', async () => {
  const pace = new Pace({ keys: 0, bytes: 0 });
  pace.spend({ keys: 1e9, bytes: 1e12 });
  expect(pace.waitMs).toBe(0);
  await pace.take({ keys: 1e9, bytes: 1e12 }, NEVER);
});
