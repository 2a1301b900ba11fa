import { expect } from 'vitest';
import { keyNames, type KeyNames } from '../../src/redis/keys.js';
import type { SiteStatus } from '../../src/observe/status.js';
import type { Pair, Site } from '../support/pair.js';
import { until } from '../support/wait.js';

/** The internal keys in a pair that `startPair` has named. */
export function ownKeys(pair = 'test'): KeyNames {
  return keyNames({ prefix: 'tandem', pair });
}

/** Settings with which a process is back quickly after whatever a test does to it. */
export const QUICK = {
  TANDEM_BACKOFF_MIN_MS: '10',
  TANDEM_BACKOFF_MAX_MS: '100',
};

/** A server whose backlog reaches back over everything a test writes while a process is away. */
export const LONG_BACKLOG = { config: { 'repl-backlog-size': '256mb' } };

/** What the process of a site says about itself. */
export async function statusOf(site: Site): Promise<SiteStatus> {
  const response = await fetch(`${site.httpUrl}/status`, { headers: { connection: 'close' } });
  return (await response.json()) as SiteStatus;
}

/** What a site's internal keys hold that waits for something. */
export interface Waiting {
  changes: number;
  changesBytes: number;
  inbox: number;
  inboxBytes: number;
}

export async function waitingAt(site: Site, keys: KeyNames): Promise<Waiting> {
  const [changes, changesBytes, inbox, inboxBytes] = await Promise.all([
    site.redis.llen(keys.changes),
    site.redis.hget(keys.state, 'bytes'),
    site.redis.llen(keys.inbox),
    site.redis.hget(keys.received, 'bytes'),
  ]);
  return { changes, changesBytes: Number(changesBytes), inbox, inboxBytes: Number(inboxBytes) };
}

const NOTHING: Waiting = { changes: 0, changesBytes: 0, inbox: 0, inboxBytes: 0 };

/** Once both sites are quiet nothing waits in a list any more, and what the bookkeeping says of the bytes is true. */
export async function expectNothingWaits(pair: Pair, deadlineMs = 10_000): Promise<void> {
  const keys = ownKeys(pair.name);
  for (const site of [pair.east, pair.west]) {
    let last: Waiting | undefined;
    await until(
      `nothing to wait at ${site.name}`,
      async () => {
        last = await waitingAt(site, keys);
        return last.changes === 0 && last.inbox === 0;
      },
      { deadlineMs },
    ).catch(() => {});
    expect(last, `what waits at ${site.name}\n${site.tail()}`).toEqual(NOTHING);
  }
}
