import type { SiteStatus } from '../../../src/observe/status.js';

/** A status with something in every field. */
export function exampleStatus(changes: Partial<SiteStatus> = {}): SiteStatus {
  const link = {
    state: 'streaming',
    pausedSince: null,
    lagMs: 12,
    changesPerSecond: 1200.4,
    changesTotal: 34_567,
    bytesTotal: 4_000_000,
  } as const;
  return {
    pair: 'orders',
    site: 'east',
    peer: 'west',
    version: '0.1.0',
    role: 'active',
    at: 1_790_000_000_000,
    uptimeMs: 3_723_000,
    epoch: 2,
    capture: {
      state: 'streaming',
      replid: 'f'.repeat(40),
      offset: 123_456,
      nextSequence: 34_568,
      changesTotal: 34_001,
      commandsTotal: 70_000,
      echoesTotal: 35_000,
      skippedTotal: { filtered: 3, 'too-large': 9 },
      unknownTotal: 1,
      gaps: 0,
    },
    outbound: {
      ...link,
      changeListBatches: 4,
      changeListBytes: 65_536,
      deliveredSequence: 34_560,
      seenByPeer: 34_000,
    },
    inbound: {
      ...link,
      state: 'caught-up',
      lagMs: 0,
      inboxBatches: 2,
      inboxBytes: 2048,
      receivedSequence: 900,
      appliedSequence: 880,
    },
    other: {
      heardMs: 1_789_999_999_600,
      version: '0.1.0',
      outbound: { state: 'caught-up', pausedSince: null, lagMs: 0 },
      inbound: { state: 'streaming', pausedSince: null, lagMs: 900 },
      gap: false,
    },
    conflicts: { 'set:own-stays': 5, 'hset:own-stays': 2, 'set:merged': 1 },
    rejected: 1,
    late: 2,
    jobs: { waiting: 3, delayed: 1, active: 1, failed: 2, completed: 40, faults: 4 },
    clockSkewMs: -250,
    memoryBytes: 80_000_000,
    logLinesLost: 0,
    gap: false,
    ...changes,
  };
}
