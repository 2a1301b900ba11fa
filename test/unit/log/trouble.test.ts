import { beforeEach, expect, test } from 'vitest';
import { Trouble } from '../../../src/log/trouble.js';

let now: number;
let trouble: Trouble;
beforeEach(() => {
  now = 0;
  trouble = new Trouble({ now: () => now });
});

/** When a trouble that is met every second for so long is told. */
function toldFor(seconds: number, reasonAt: (second: number) => string = () => 'away'): number[] {
  const told: number[] = [];
  for (const end = now + seconds * 1000; now < end; now += 1000)
    if (trouble.met(reasonAt(now / 1000))) told.push(now / 1000);
  return told;
}

test('what lasts is told at once, and then once a minute, with when it began and how often it was met', () => {
  const first = trouble.met('away')!;
  expect(first.attempts).toBe(1);
  expect(Math.abs(Date.parse(first.since) - Date.now())).toBeLessThan(60_000);
  now = 59_000;
  expect(trouble.met('away')).toBeUndefined();
  now = 60_000;
  expect(trouble.met('away')).toEqual({ since: first.since, attempts: 3 });
});

test('a new reason is told at once, and reasons that take turns once a minute each', () => {
  expect(toldFor(120, (second) => (second % 2 === 0 ? 'closed' : 'refused'))).toEqual([0, 1, 60, 61]);
});

test('reasons without end are told apart up to a number, and then as one', () => {
  expect(toldFor(70, String)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 68]);
});

test('its end is told once, with how long it lasted', () => {
  toldFor(30);
  expect(trouble.over()).toEqual({ lastedMs: 30_000, attempts: 30 });
  expect(trouble.over()).toBeUndefined();
  expect(trouble.isOpen).toBe(false);
});

test('one that begins long after the last one is told at once', () => {
  trouble.met('away');
  trouble.over();
  now = 5000;
  expect(trouble.met('away')).toMatchObject({ attempts: 1 });
});

test('one that comes and goes is told once a minute, and so is its end', () => {
  let [told, ended] = [0, 0];
  for (; now < 120_000; now += 100) {
    if (trouble.met('full')) told++;
    if (trouble.over()) ended++;
  }
  expect([told, ended]).toEqual([2, 2]);
});

test('one that came back within the minute and stays is told when it has lasted', () => {
  trouble.met('away');
  now = 1000;
  expect(trouble.over()).toBeDefined();
  now = 2000;
  expect(toldFor(20)).toEqual([7]);
  expect(trouble.over()).toMatchObject({ lastedMs: 22_000 });
});
