import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { BatchTimer } from '../../../src/capture/batch-timer.js';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** A capture that gathers one change whenever it is told to. */
function timed(lagMs = (): number => 0): { timer: BatchTimer; change: () => void; cuts: number[] } {
  const cuts: number[] = [];
  const began = performance.now();
  const capture = {
    gathered: 0,
    nextSequence: 1,
    cut(): void {
      if (this.gathered === 0) return;
      this.gathered = 0;
      cuts.push(Math.round(performance.now() - began));
    },
  };
  const timer = new BatchTimer({ delayMs: 1, capture: () => capture, lagMs });
  const change = (): void => {
    capture.gathered++;
    capture.nextSequence++;
    timer.set();
  };
  return { timer, change, cuts };
}

test('a change by itself is cut at once, and what comes close behind it when it has waited as long as is set', () => {
  const { change, cuts } = timed();
  change();
  expect(cuts).toEqual([0]);
  change();
  change();
  expect(cuts).toEqual([0]);
  vi.advanceTimersByTime(10);
  expect(cuts).toEqual([0, 1]);
  change();
  expect(cuts).toEqual([0, 1, 10]);
});

test('what a decision waits for is cut at once, and what is cut already is left alone', () => {
  const { timer, change, cuts } = timed();
  change();
  change();
  expect(cuts).toEqual([0]);
  timer.hurry(2);
  expect(cuts).toEqual([0, 0]);
  change();
  timer.hurry(2);
  expect(cuts).toEqual([0, 0]);
});

test('a batch waits for a tenth of the time that a peer far behind is behind, half a second at the most', () => {
  for (const [lag, waited] of [
    [900, 0],
    [2000, 200],
    [60_000, 500],
  ] as const) {
    const { change, cuts } = timed(() => lag);
    change();
    vi.advanceTimersByTime(1000);
    expect(cuts).toEqual([waited]);
  }
});

test('a batch waits longer as long as entries are put among those of this site', () => {
  const { timer, change, cuts } = timed();
  for (let at = 0; at < 30; at++) timer.echoed('XSETID');
  timer.echoed('XADD');
  change();
  vi.advanceTimersByTime(100);
  expect(cuts).toEqual([30]);
  vi.advanceTimersByTime(3000);
  change();
  vi.advanceTimersByTime(10);
  expect(cuts).toEqual([30, 3100]);
});
