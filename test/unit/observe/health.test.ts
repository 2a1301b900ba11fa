import { describe, expect, it } from 'vitest';
import { readinessProblems } from '../../../src/observe/health.js';
import { exampleStatus } from './example-status.js';

describe('readiness', () => {
  it('is given when the process is active and both directions flow', () => {
    expect(readinessProblems(exampleStatus())).toEqual([]);
  });

  it('is not given to a standby', () => {
    expect(readinessProblems(exampleStatus({ role: 'standby' }))).toEqual([
      'another process works for site east',
    ]);
  });

  it('names each direction that does not flow, and why', () => {
    const status = exampleStatus();
    status.outbound.state = 'backing-off';
    status.outbound.detail = 'west.example:6379 refuses the connection';
    status.inbound.state = 'starting';
    expect(readinessProblems(status)).toEqual([
      'east to west: backing-off (west.example:6379 refuses the connection)',
      'west to east: starting',
    ]);
  });

  it('names what only the other site knows', () => {
    const status = exampleStatus();
    status.other!.outbound.pausedSince = 1;
    status.other!.inbound.state = 'stopped';
    status.other!.gap = true;
    expect(readinessProblems(status)).toEqual([
      'west to east: paused at west',
      'east to west: stopped at west',
      'a gap is open, as west tells: changes are missing, and a comparison of the sites is due',
    ]);
    expect(readinessProblems(exampleStatus({ other: null }))).toEqual([]);
  });

  it('is not given while a comparison is due', () => {
    expect(readinessProblems(exampleStatus({ gap: true }))).toHaveLength(1);
  });
});
