import { describe, expect, it } from 'vitest';
import { bar, percent, sparkline, WorkRate, workText } from '../../../src/cli/bars.js';

describe('a bar', () => {
  it.each([
    [0, '░░░░░░░░░░', '0 %'],
    [0.001, '█░░░░░░░░░', '0 %'],
    [0.25, '███░░░░░░░', '25 %'],
    [0.999, '██████████', '99 %'],
    [1, '██████████', '100 %'],
    [7, '██████████', '100 %'],
    [-1, '░░░░░░░░░░', '0 %'],
  ])('of %d is %s, %s', (share, drawn, text) => {
    expect([bar(share, 10), percent(share)]).toEqual([drawn, text]);
  });
});

describe('a sparkline', () => {
  it('shows the newest values, against the highest of them', () => {
    expect(sparkline([9, 0, 1, 4, 8], 4)).toBe('▁▂▅█');
  });

  it('is as wide as it is to be, and flat where nothing was', () => {
    expect(sparkline([0, 0], 4)).toBe('▁▁  ');
    expect(sparkline([], 3)).toBe('   ');
  });
});

describe('work that goes on', () => {
  it('is told with its rate and the time that is left', () => {
    const rate = new WorkRate();
    expect(workText({ done: 1000, total: 6000 }, rate.after(1000, 50_000), 'keys')).toBe(
      '1,000 of 6,000 keys (16 %)',
    );
    expect(workText({ done: 2000, total: 6000 }, rate.after(2000, 52_000), 'keys')).toBe(
      '2,000 of 6,000 keys (33 %), 500 keys/s, 8.0 s left',
    );
  });

  it('counts from where an attempt has begun, not what one before it had done', () => {
    const rate = new WorkRate();
    rate.after(900, 0);
    expect(rate.after(100, 1000)).toBeUndefined();
    expect(rate.after(300, 2000)).toBe(200);
  });

  it('has no end where nobody knows how much it is', () => {
    const rate = new WorkRate();
    rate.after(0, 0);
    expect(workText({ done: 50, total: 0 }, rate.after(50, 1000), '')).toBe('50, 50/s');
  });
});
