import { expect, test } from 'vitest';
import { healthOf } from '../../../src/cli/health.js';
import type { SiteStatus } from '../../../src/observe/status.js';
import { exampleStatus } from '../observe/example-status.js';

const SITE = { pair: 'shop', site: 'east' };
const WELL = exampleStatus();

function heartbeat(ageMs: number, changed: Partial<SiteStatus> = {}): { status: SiteStatus; ageMs: number } {
  return { ageMs, status: { ...WELL, ...changed } };
}

test('who holds the lease and has told lately how it is is well', () => {
  expect(healthOf(SITE, 'there', heartbeat(400))).toMatchObject({ healthy: true });
});

test.each([
  ['nobody', null, 'no process works for site east of pair shop'],
  ['there', null, 'a process holds the lease of site east and does not tell how it is'],
  ['gone', heartbeat(10), 'the process of site east is gone, and no other one has taken over'],
  ['nobody', heartbeat(3100), 'the process of site east no longer holds the lease, heard of 3.1 s ago'],
  ['there', heartbeat(6000), 'the process of site east has been silent for 6.0 s: it hangs, or is cut off'],
] as const)('lease: %s, status: %o', (holder, status, reason) => {
  expect(healthOf(SITE, holder, status)).toEqual({ healthy: false, reason, notReady: [] });
});

test('what its own server keeps from the work is not well, whatever its heartbeat', () => {
  const { capture, outbound } = WELL;
  const status = heartbeat(10, {
    capture: { ...capture, state: 'backing-off' },
    outbound: { ...outbound, state: 'backing-off', detail: 'the stream is refused' },
  });
  expect(healthOf(SITE, 'there', status)).toMatchObject({
    healthy: false,
    reason: 'the process of site east cannot work: the stream is refused',
  });
});

test('what keeps changes from passing is told, and makes nobody unwell', () => {
  const inbound = { ...WELL.inbound, state: 'stopped' as const, detail: 'a damaged batch' };
  const { healthy, notReady } = healthOf(SITE, 'there', heartbeat(10, { inbound }));
  expect(healthy).toBe(true);
  expect(notReady).toContain('west to east: stopped (a damaged batch)');
});
