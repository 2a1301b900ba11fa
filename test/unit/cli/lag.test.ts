import { expect, test } from 'vitest';
import { lagsOf } from '../../../src/cli/lag.js';
import type { SiteStatus } from '../../../src/observe/status.js';

const NOW = 1_000_000;

function toldBefore(ageMs: number, heardMs = 0): SiteStatus {
  const at = NOW - ageMs;
  const there = { state: 'caught-up', pausedSince: null, lagMs: 0 } as const;
  const other = { heardMs: at - heardMs, outbound: there, inbound: there, gap: false };
  const link = { state: 'caught-up', pausedSince: null, stalledSince: null } as const;
  const links = { outbound: { ...link, lagMs: 3 }, inbound: { ...link, lagMs: 0 } };
  return { at, uptimeMs: 60_000, site: 'east', peer: 'west', gap: false, other, ...links } as SiteStatus;
}

function lagsAfter(ageMs: number): [outbound: number | null, inbound: number | null] {
  const { outbound, inbound } = lagsOf(toldBefore(ageMs), NOW);
  return [outbound.lagMs, inbound.lagMs];
}

test('a lag is as the process has told it', () => {
  expect(lagsAfter(900)).toEqual([3, 0]);
});

test('of a process that has been silent since it may have grown by that', () => {
  expect(lagsAfter(8000)).toEqual([8003, 8000]);
});

test('what a peer is behind of which nothing is heard is not known', () => {
  expect(lagsOf(toldBefore(0, 38_000), NOW)).toEqual({
    outbound: { direction: 'east → west', lagMs: 3 },
    inbound: { direction: 'west → east', lagMs: null, reason: 'nothing has been heard of west for 38 s' },
  });
  const unheard = { ...toldBefore(0), other: null };
  expect(lagsOf(unheard, NOW).inbound.reason).toBe('nothing has been heard of west yet');
});
