import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ProgressLine, showJob } from '../../../src/cli/progress-line.js';
import type { JobView } from '../../../src/jobs/job-view.js';

let written = '';
let nowMs = 0;
const { isTTY, columns } = process.stderr;

beforeEach(() => {
  written = '';
  nowMs = 0;
  vi.spyOn(performance, 'now').mockImplementation(() => nowMs);
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
    written += String(text);
    return true;
  });
});
afterEach(() => {
  vi.restoreAllMocks();
  Object.assign(process.stderr, { isTTY, columns });
});

function jobAt(done: number, changes: Partial<JobView> = {}): JobView {
  const progress = { done, total: 8000, differing: 2 };
  return { task: 'verify', state: 'active', progress, ...changes } as unknown as JobView;
}

describe('how far a job is', () => {
  it('is a line now and then in a pipe', () => {
    Object.assign(process.stderr, { isTTY: false });
    const line = new ProgressLine(true);
    showJob(line, jobAt(0, { state: 'waiting' }));
    for (nowMs = 1000; nowMs <= 7000; nowMs += 500) showJob(line, jobAt(nowMs));
    line.clear();
    expect(written.split('\n')).toEqual([
      'verify: 1,000 of 8,000 keys (12 %), 2 different',
      'verify: 6,000 of 8,000 keys (75 %), 1,000 keys/s, 2.0 s left, 2 different',
      '',
    ]);
  });

  it('is a bar on a terminal, as wide as that, and goes when the work is over', () => {
    Object.assign(process.stderr, { isTTY: true, columns: 60 });
    const line = new ProgressLine(true);
    showJob(line, jobAt(0, { state: 'waiting', progress: null }));
    for (nowMs = 1000; nowMs <= 4000; nowMs += 1000) showJob(line, jobAt(nowMs));
    line.clear();
    const drawn = written.split('\r\u001B[K');
    expect(drawn[1]).toBe('verify (waiting) …');
    expect(drawn.at(-2)).toBe('verify ██████████░░░░░░░░░░ 4,000 of 8,000 keys (50 %), 1,0');
    expect(drawn.at(-1)).toBe('');
  });

  it('is not told where nobody is to be told', () => {
    Object.assign(process.stderr, { isTTY: true });
    const line = new ProgressLine(false);
    nowMs = 9000;
    showJob(line, jobAt(1000));
    line.clear();
    expect(written).toBe('');
  });
});
