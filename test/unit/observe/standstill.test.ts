import { expect, test } from 'vitest';
import { Standstill, STANDSTILL_MS } from '../../../src/observe/standstill.js';

/** What is found when it is looked at each second: for each second, up to where changes are applied; undefined while none waits. */
function lookedAt(places: readonly (number | undefined)[]): (number | undefined)[] {
  const standstill = new Standstill();
  return places.map((place, second) =>
    standstill.look({ place: place ?? 0, isWaiting: place !== undefined, nowMs: second * 1000 }),
  );
}

const SECONDS = STANDSTILL_MS / 1000;
const still = Array<number>(SECONDS).fill(7);

test('changes that wait, of which none is applied for a minute, stand still', () => {
  expect(lookedAt([...still, 7, 7]).slice(-3)).toEqual([undefined, 60_000, 61_000]);
});

test('one that is applied, or nothing that waits, begins the time anew', () => {
  expect(lookedAt([...still, 8, ...still]).filter((found) => found !== undefined)).toEqual([]);
  expect(lookedAt([...still, undefined, ...still]).filter((found) => found !== undefined)).toEqual([]);
  expect(lookedAt([...still, 7, 8]).at(-1)).toBeUndefined();
});

test('the time in which the process did not run does not count', () => {
  const standstill = new Standstill();
  expect(standstill.look({ place: 1, isWaiting: true, nowMs: 0 })).toBeUndefined();
  expect(standstill.look({ place: 1, isWaiting: true, nowMs: 300_000 })).toBeUndefined();
});
