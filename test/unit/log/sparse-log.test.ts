import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { createLogger } from '../../../src/log/log.js';
import { SparseLog } from '../../../src/log/sparse-log.js';

interface Line {
  readonly outcome: string;
  readonly notShown: number;
  readonly [field: string]: unknown;
}

let lines: Line[];
let log: SparseLog<{ readonly outcome: string }>;

beforeEach(() => {
  vi.useFakeTimers();
  lines = [];
  const settings = { pair: 'p', site: 's', logLevel: 'info', logPretty: 'never', logData: true } as const;
  const destination = { write: (line: string) => void lines.push(JSON.parse(line) as Line) };
  const logger = createLogger(settings, destination);
  log = new SparseLog((line) => logger.info(line, 'met'));
});

afterEach(() => {
  log.close();
  vi.useRealTimers();
});

function conflict(outcome: string): { readonly outcome: string } {
  return { outcome };
}

function shown(): [string, number][] {
  return lines.map(({ outcome, notShown }) => [outcome, notShown]);
}

describe('the log of what comes often', () => {
  test('tells the first at once', () => {
    log.met(conflict('own-stays'));
    expect(lines).toMatchObject([{ level: 'info', outcome: 'own-stays', notShown: 0 }]);
  });

  test('has one line in ten seconds at the most, and each conflict is in one or counted in one', () => {
    for (let i = 0; i < 1000; i++) {
      log.met(conflict(`number ${i}`));
      vi.advanceTimersByTime(100);
    }
    vi.advanceTimersByTime(10_000);
    expect(lines).toHaveLength(11);
    expect(lines.reduce((sum, { notShown }) => sum + notShown + 1, 0)).toBe(1000);
    expect(shown()[1]).toEqual(['number 99', 98]);
  });

  test('tells what waits when no more come, and then falls silent', () => {
    for (const outcome of ['first', 'second', 'third']) log.met(conflict(outcome));
    expect(shown()).toEqual([['first', 0]]);
    vi.advanceTimersByTime(60_000);
    expect(shown()).toEqual([
      ['first', 0],
      ['third', 1],
    ]);
    log.met(conflict('much later'));
    expect(shown().at(-1)).toEqual(['much later', 0]);
  });

  test('tells what waits when the process ends', () => {
    for (const outcome of ['first', 'second', 'third']) log.met(conflict(outcome));
    log.close();
    expect(shown().at(-1)).toEqual(['third', 1]);
    expect(vi.getTimerCount()).toBe(0);
  });
});
