import { expect, test } from 'vitest';
import { lagsOf } from '../../../src/cli/lag.js';
import type { SiteStatus } from '../../../src/observe/status.js';

const NOW = 1_000_000;

function lagsAfter(ageMs: number): [outbound: number, inbound: number] {
  const told = { at: NOW - ageMs, site: 'east', peer: 'west', outbound: { lagMs: 3 }, inbound: { lagMs: 0 } };
  const { outbound, inbound } = lagsOf(told as SiteStatus, NOW);
  return [outbound.lagMs, inbound.lagMs];
}

test('a lag is as the process has told it', () => {
  expect(lagsAfter(900)).toEqual([3, 0]);
});

test('of a process that has been silent since it may have grown by that', () => {
  expect(lagsAfter(8000)).toEqual([8003, 8000]);
});
