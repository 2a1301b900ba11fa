import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { HybridClock, wallMs } from '../../../src/protocol/clock.js';

const NOW = 1_790_000_000_000;

describe('a timestamp', () => {
  test('is later than all given out or observed, whatever the wall clock does', () => {
    const step = fc.oneof(
      fc.record({ wall: fc.integer({ min: NOW - 5000, max: NOW + 5000 }) }),
      fc.record({ observe: fc.integer({ min: (NOW - 5000) * 1024, max: (NOW + 60_000) * 1024 }) }),
      fc.constant('tick' as const),
    );
    fc.assert(
      fc.property(fc.array(step), fc.integer({ min: 0, max: NOW * 1024 }), (steps, before) => {
        let wall = NOW;
        const clock = new HybridClock(before, () => wall);
        let highest = before;
        for (const now of steps) {
          if (now === 'tick') {
            const given = clock.tick();
            expect(given).toBeGreaterThan(highest);
            expect(given).toBeGreaterThanOrEqual(wall * 1024);
            expect(Number.isSafeInteger(given)).toBe(true);
            highest = given;
          } else if ('wall' in now) wall = now.wall;
          else {
            clock.observe(now.observe);
            highest = Math.max(highest, now.observe);
          }
          expect(clock.last).toBe(highest);
        }
      }),
    );
  });

  test('shows the wall time it was made at', () => {
    const clock = new HybridClock(0, () => NOW);
    expect(wallMs(clock.tick())).toBe(NOW);
    expect(wallMs(clock.tick())).toBe(NOW);
  });

  test('carries into the milliseconds when more than 1024 are asked for in one', () => {
    const clock = new HybridClock(0, () => NOW);
    for (let i = 0; i < 1024; i++) clock.tick();
    expect(wallMs(clock.tick())).toBe(NOW + 1);
  });
});

test('to observe the past, or nothing, changes nothing', () => {
  const clock = new HybridClock(500);
  clock.observe(499);
  clock.observe(Number.NaN);
  expect(clock.last).toBe(500);
});
