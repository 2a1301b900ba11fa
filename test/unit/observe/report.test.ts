import { describe, expect, it } from 'vitest';
import { reportLines } from '../../../src/observe/report.js';
import { exampleStatus } from './example-status.js';

describe('the lines of the log about what moved', () => {
  it('are one for each direction at first', () => {
    expect(reportLines(exampleStatus()).map(({ direction }) => direction)).toEqual([
      'east to west',
      'west to east',
    ]);
  });

  it('are none when nothing moved', () => {
    expect(reportLines(exampleStatus(), exampleStatus())).toEqual([]);
  });

  it('are one for the direction that moved, with the number of changes since', () => {
    const now = exampleStatus();
    now.outbound.changesTotal += 7;
    expect(reportLines(now, exampleStatus())).toEqual([
      expect.objectContaining({ direction: 'east to west', changes: 7, changesPerSecond: 1200 }),
    ]);
  });

  it('are one for a direction that changed its state', () => {
    const now = exampleStatus();
    now.inbound.state = 'backing-off';
    now.inbound.detail = 'why';
    expect(reportLines(now, exampleStatus())).toEqual([
      expect.objectContaining({ direction: 'west to east', state: 'backing-off', detail: 'why' }),
    ]);
  });

  it('are one for a direction in which something waits, though nothing moves', () => {
    const now = exampleStatus();
    now.inbound.lagMs += 10_000;
    expect(reportLines(now, exampleStatus())).toEqual([
      expect.objectContaining({ direction: 'west to east', changes: 0, lagMs: 10_000 }),
    ]);
  });

  it('are none of a standby', () => {
    expect(reportLines(exampleStatus({ role: 'standby' }))).toEqual([]);
  });
});
