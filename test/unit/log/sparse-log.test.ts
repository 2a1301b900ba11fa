import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { createLogger } from '../../../src/log/log.js';
import { ConflictLog, type LoggedConflict } from '../../../src/observe/conflict-log.js';

interface Line {
  readonly outcome: string;
  readonly notShown: number;
  readonly [field: string]: unknown;
}

let lines: Line[];
let log: ConflictLog;

beforeEach(() => {
  vi.useFakeTimers();
  lines = [];
  const settings = { pair: 'p', site: 's', logLevel: 'info', logPretty: 'never', logData: true } as const;
  const destination = { write: (line: string) => void lines.push(JSON.parse(line) as Line) };
  log = new ConflictLog(createLogger(settings, destination));
});

afterEach(() => {
  log.close();
  vi.useRealTimers();
});

/** As the site hands it over: with more than may be logged. */
function conflict(outcome: string): LoggedConflict {
  const whole = {
    command: 'SET',
    outcome,
    database: 3,
    key: 'the key',
    theirs: ['SET', 'the key', 'secret'],
  };
  return whole;
}

function shown(): [string, number][] {
  return lines.map(({ outcome, notShown }) => [outcome, notShown]);
}

describe('the log of conflicts', () => {
  test('tells command, outcome and database at once, and no key and no value', () => {
    log.met(conflict('own-stays'));
    expect(lines).toMatchObject([
      { level: 'info', command: 'SET', outcome: 'own-stays', database: 3, notShown: 0 },
    ]);
    expect(JSON.stringify(lines)).not.toMatch(/the key|secret/);
  });

  test('has one line a second at the most, and each conflict is in one or counted in one', () => {
    for (let i = 0; i < 1000; i++) {
      log.met(conflict(`number ${i}`));
      vi.advanceTimersByTime(10);
    }
    vi.advanceTimersByTime(1000);
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
