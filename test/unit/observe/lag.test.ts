import { expect, test } from 'vitest';
import { knownLag } from '../../../src/observe/lag.js';
import type { SiteStatus } from '../../../src/observe/status.js';
import { exampleStatus } from './example-status.js';

/** A site in which nothing waits. */
function idle(change: (status: SiteStatus) => void = () => {}): SiteStatus {
  const status = exampleStatus();
  Object.assign(status.outbound, { state: 'caught-up', lagMs: 0 });
  change(status);
  return status;
}

test('the lag of a direction that flows is that of the status', () => {
  expect(knownLag(exampleStatus(), 'outbound')).toEqual({ lagMs: 12 });
  expect(knownLag(idle(), 'outbound')).toEqual({ lagMs: 0 });
});

test('behind a gap no lag is known, at whichever site it is open', () => {
  const [here, there] = [exampleStatus({ gap: true }), exampleStatus()];
  there.other!.gap = true;
  for (const direction of ['outbound', 'inbound'] as const) {
    expect(knownLag(here, direction)).toEqual({
      lagMs: null,
      reason: 'a gap is open: changes are missing',
    });
    expect(knownLag(there, direction)).toEqual({
      lagMs: null,
      reason: 'a gap is open, as west tells: changes are missing',
    });
  }
});

test.each<[string, 'outbound' | 'inbound', (status: SiteStatus) => void, string]>([
  [
    'paused here',
    'outbound',
    ({ outbound }) => (outbound.pausedSince = 0),
    'paused since 1970-01-01T00:00:00.000Z',
  ],
  ['paused there', 'outbound', ({ other }) => (other!.inbound.pausedSince = 1), 'paused at west'],
  ['paused there', 'inbound', ({ other }) => (other!.outbound.pausedSince = 1), 'paused at west'],
  [
    'held up here',
    'inbound',
    ({ inbound }) => Object.assign(inbound, { state: 'stopped', detail: 'why' }),
    'stopped: why',
  ],
  ['beginning', 'outbound', ({ outbound }) => (outbound.state = 'starting'), 'starting'],
  [
    'held up there',
    'outbound',
    ({ other }) => Object.assign(other!.inbound, { state: 'backing-off', reason: 'SERVER_BUSY' }),
    'backing-off at west (SERVER_BUSY)',
  ],
])('%s, %s has no lag of 0, and says what holds it up with any other', (_, direction, change, reason) => {
  const other = direction === 'outbound' ? 'inbound' : 'outbound';
  const status = idle(change);
  expect(knownLag(status, direction)).toEqual({ lagMs: null, reason });
  expect(knownLag(status, other)).toEqual({ lagMs: 0 });
  status[direction].lagMs = 7000;
  expect(knownLag(status, direction)).toEqual({ lagMs: 7000, reason });
});

test('a direction that stands still says so', () => {
  const status = exampleStatus();
  status.outbound.stalledSince = status.at - 72_000;
  expect(knownLag(status, 'outbound')).toEqual({
    lagMs: 12,
    reason: 'changes wait, and none has been applied for 72 s',
  });
});
