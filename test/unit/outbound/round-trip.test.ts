import { expect, test } from 'vitest';
import { RoundTrip } from '../../../src/outbound/round-trip.js';

test('the way is as long as the quickest answer took, and unknown before the first', () => {
  const way = new RoundTrip(() => 0);
  expect(way.ms).toBeUndefined();
  for (const ms of [40, 12, 90]) way.took(ms);
  expect(way.ms).toBe(12);
});

test('a way that has become longer is known within a minute', () => {
  let now = 0;
  const way = new RoundTrip(() => now);
  way.took(1);
  now = 30_000;
  way.took(80);
  expect(way.ms).toBe(1);
  now = 60_000;
  way.took(85);
  expect(way.ms).toBe(80);
});

test('what was known stays while nothing is answered', () => {
  let now = 0;
  const way = new RoundTrip(() => now);
  way.took(7);
  now = 1e7;
  expect(way.ms).toBe(7);
});

test('the time of an answer is taken, and that of a failure is not', async () => {
  let now = 0;
  const way = new RoundTrip(() => now);
  const answer = way.of(() => Promise.resolve('x'));
  now = 25;
  expect(await answer).toBe('x');
  await expect(way.of(() => Promise.reject(new Error('gone')))).rejects.toThrow('gone');
  expect(way.ms).toBe(25);
});

test('the time that asking took counts: what was sent was on the way by then', async () => {
  let now = 0;
  const way = new RoundTrip(() => now);
  await way.of(() => {
    now = 3;
    return Promise.resolve();
  });
  expect(way.ms).toBe(3);
});
