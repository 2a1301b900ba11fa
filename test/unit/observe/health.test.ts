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
    status.other!.inbound.reason = 'BATCH_INVALID';
    status.other!.gap = true;
    expect(readinessProblems(status)).toEqual([
      'west to east: paused at west',
      'east to west: stopped at west (BATCH_INVALID)',
      'a gap is open, as west tells: changes are missing, until the sites are compared and repaired, by themselves',
    ]);
  });

  it('names what keeps the other site from applying, and from delivering', () => {
    const status = exampleStatus();
    Object.assign(status.other!.inbound, { state: 'backing-off', reason: 'SERVER_BUSY' });
    Object.assign(status.other!.outbound, { state: 'backing-off', reason: 'NO_PERMISSION' });
    expect(readinessProblems(status)).toEqual([
      'west to east: backing-off at west (NO_PERMISSION)',
      'east to west: backing-off at west (SERVER_BUSY)',
    ]);
  });

  it('is not given while nothing is heard of the peer, whatever it told last', () => {
    const reason = 'its process is stopped, hangs, or cannot reach the Redis of east';
    const status = exampleStatus();
    status.other!.heardMs = status.at - 9999;
    expect(readinessProblems(status)).toEqual([]);
    status.other!.heardMs = status.at - 38_000;
    status.other!.inbound.pausedSince = 1;
    expect(readinessProblems(status)).toEqual([`nothing has been heard of west for 38 s: ${reason}`]);
    status.other = null;
    expect(readinessProblems(status)).toEqual([`nothing has been heard of west yet: ${reason}`]);
    // Who does not hear its own Redis hears of nobody.
    status.capture.state = 'starting';
    expect(readinessProblems(status)).toEqual([]);
  });

  it('is not given when the first copy has failed', () => {
    expect(readinessProblems(exampleStatus({ firstCopyFailure: 'SITES_DIFFER' }))).toEqual([
      'the first copy has failed (SITES_DIFFER): what east held before the pair began is not all at west',
    ]);
  });

  it('is not given while changes wait and none is applied, though nothing else says why', () => {
    const status = exampleStatus();
    status.outbound.stalledSince = status.at - 72_000;
    const problem = 'east to west: changes wait, and none has been applied for 72 s';
    expect(readinessProblems(status)).toEqual([problem]);
    status.inbound.stalledSince = status.at - 61_000;
    expect(readinessProblems(status)).toHaveLength(2);
    // What is known of the reason stands in its place.
    status.other!.inbound.pausedSince = 1;
    expect(readinessProblems(status)).toEqual([
      'west to east: changes wait, and none has been applied for 61 s',
      'east to west: paused at west',
    ]);
    status.inbound.state = 'backing-off';
    expect(readinessProblems(status)).toEqual(['west to east: backing-off', 'east to west: paused at west']);
    status.other!.heardMs = status.at - 60_000;
    expect(readinessProblems(status).join()).not.toContain('changes wait');
  });

  it('is not given while a gap is open', () => {
    expect(readinessProblems(exampleStatus({ gap: true }))).toHaveLength(1);
  });
});
