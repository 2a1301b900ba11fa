import { describe, expect, it } from 'vitest';
import { renderJobs } from '../../../src/cli/jobs.js';
import type { JobView } from '../../../src/jobs/job-client.js';

const NOW = 1_790_000_000_000;

function jobOf(changes: Partial<JobView>): JobView {
  return {
    id: 'verify-1a2b3c4d',
    task: 'verify',
    state: 'waiting',
    data: {},
    progress: null,
    result: null,
    failure: null,
    attempts: 0,
    maxAttempts: 8,
    addedAt: NOW - 5000,
    startedAt: null,
    endedAt: null,
    ...changes,
  };
}

describe('the list of jobs', () => {
  it('tells how far each is, and why it failed', () => {
    const found = [
      jobOf({ state: 'active', startedAt: NOW - 65_000, progress: { done: 1500, total: 6000 } }),
      jobOf({ id: 'copy', state: 'delayed', attempts: 1, failure: 'the peer is away' }),
      jobOf({
        id: 'copy-2',
        state: 'failed',
        startedAt: NOW - 3000,
        endedAt: NOW - 2000,
        attempts: 1,
        failure: 'cancelled',
      }),
      jobOf({ id: 'copy-3', state: 'completed', startedAt: NOW - 3000, endedAt: NOW - 2000, attempts: 2 }),
    ];
    expect(renderJobs(found, { isPaused: false, now: NOW }).split('\n')).toEqual([
      'verify-1a2b3c4d  active     for 1 min 5 s, 1,500 of 6,000 (25 %)',
      'copy             delayed    added 5.0 s ago, 1 of 8 attempts',
      '  the peer is away',
      'copy-2           failed     2.0 s ago, took 1.0 s',
      '  cancelled',
      'copy-3           completed  2.0 s ago, took 1.0 s, 2 of 8 attempts',
    ]);
  });

  it('tells what one has come to that is done, not how far it was told to be last', () => {
    const done = { state: 'completed', startedAt: NOW - 3000, endedAt: NOW - 2000, attempts: 1 } as const;
    const progress = { done: 2, total: 28 };
    const found = [
      jobOf({ ...done, id: 'equal', progress, result: { compared: 2, differing: 0, repaired: 0 } }),
      jobOf({ ...done, id: 'left', progress, result: { compared: 1, differing: 1, repaired: 0 } }),
      jobOf({ ...done, id: 'copy', progress, result: { looked: 12, sent: 1, rejected: 1 } }),
      jobOf({ ...done, id: 'other', progress, result: null }),
    ];
    expect(renderJobs(found, { isPaused: false, now: NOW }).split('\n')).toEqual([
      'equal  completed  2.0 s ago, took 1.0 s, 2 keys compared',
      'left   completed  2.0 s ago, took 1.0 s, 1 key compared',
      '  1 key differs: tandem repair',
      'copy   completed  2.0 s ago, took 1.0 s, 12 keys looked at, 1 sent',
      '  the other site has rejected 1 value: tandem rejected, there',
      'other  completed  2.0 s ago, took 1.0 s',
    ]);
  });

  it('says when there are none, and when none may begin', () => {
    expect(renderJobs([], { isPaused: true })).toBe(
      'Paused: no job begins until: tandem jobs resume\nNo jobs.',
    );
  });
});
