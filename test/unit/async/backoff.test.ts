import { expect, test } from 'vitest';
import { Backoff } from '../../../src/async/backoff.js';

const LIMITS = { minMs: 50, maxMs: 5000 };

test('the pause after a failure doubles from the shortest to the longest and is at least half of that', () => {
  const backoff = new Backoff(LIMITS);
  for (let failure = 1; failure < 2000; failure++) {
    const fullMs = Math.min(5000, 50 * 2 ** Math.min(failure - 1, 20));
    const pauseMs = backoff.failed();
    expect(pauseMs).toBeGreaterThanOrEqual(Math.floor(fullMs / 2));
    expect(pauseMs).toBeLessThanOrEqual(fullMs);
  }
});

test('after a success the pause is the shortest again', () => {
  const backoff = new Backoff(LIMITS);
  for (let failure = 0; failure < 10; failure++) backoff.failed();
  backoff.succeeded();
  expect(backoff.failed()).toBeLessThanOrEqual(LIMITS.minMs);
});
