import { describe, expect, it } from 'vitest';
import { readinessProblems } from '../../../src/service/health.js';
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

  it('is not given while a comparison is due', () => {
    expect(readinessProblems(exampleStatus({ gap: true }))).toHaveLength(1);
  });
});
