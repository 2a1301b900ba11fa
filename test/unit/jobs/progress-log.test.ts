import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { ProgressLog } from '../../../src/jobs/progress-log.js';
import type { Logger } from '../../../src/log/log.js';

let lines: Record<string, unknown>[];
let progress: ProgressLog;

beforeEach(() => {
  vi.useFakeTimers();
  lines = [];
  const log = { info: (fields: object, msg: string) => lines.push({ ...fields, msg }) };
  progress = new ProgressLog(log as unknown as Logger, { kind: 'first-copy', job: 'first-copy' });
});
afterEach(() => {
  progress.close();
  vi.useRealTimers();
});

test('short work is not told of', () => {
  progress.note({ done: 5, total: 10 });
  vi.advanceTimersByTime(29_000);
  expect(lines).toEqual([]);
});

test('long work tells how far it is, and how long it will take at this rate', () => {
  progress.note({ done: 1000, total: 10_000 });
  vi.advanceTimersByTime(20_000);
  progress.note({ done: 4000, total: 10_000 });
  vi.advanceTimersByTime(10_000);
  expect(lines).toEqual([
    {
      kind: 'first-copy',
      job: 'first-copy',
      done: 4000,
      total: 10_000,
      leftMs: 60_000,
      lastedMs: 30_000,
      msg: 'a job is at work',
    },
  ]);
});

test('work that stands still is told of as well, and nothing after its end', () => {
  vi.advanceTimersByTime(60_000);
  expect(lines).toMatchObject([
    { done: 0, lastedMs: 30_000 },
    { done: 0, lastedMs: 60_000 },
  ]);
  progress.close();
  vi.advanceTimersByTime(60_000);
  expect(lines).toHaveLength(2);
});
