import { setTimeout as pause } from 'node:timers/promises';
import type { Redis } from '../redis/connect.js';
import type { SiteStatus } from './status.js';

/** How often the status is written, and how long it stays when the process has died. */
const STATUS_INTERVAL_MS = 1000;
const STATUS_TTL_SECONDS = 15;
/** A process that has written none for so long stands still, or is cut off. */
export const SILENT_MS = 5000;

export interface StatusKeyOptions {
  redis: Redis;
  /** The key's name, `tandem:{pair}:status`. */
  key: string;
  status: () => SiteStatus;
  signal: AbortSignal;
}

/**
 * Writes the status to its key every second while this process is the active one, until the signal aborts; then
 * removes it. A failed write is no reason to stop anything: the key expires and `tandem status` says so.
 */
export async function keepStatusKey({ redis, key, status, signal }: StatusKeyOptions): Promise<void> {
  let written = false;
  while (!signal.aborted) {
    const now = status();
    if (now.role === 'active') {
      written = await redis.set(key, JSON.stringify(now), 'EX', STATUS_TTL_SECONDS).then(
        () => true,
        () => written,
      );
    }
    await pause(STATUS_INTERVAL_MS, undefined, { signal }).catch(() => {});
  }
  if (written) await redis.del(key).catch(() => {});
}

/** The status the running process wrote, or null if there is none. */
export async function readStatusKey(redis: Redis, key: string): Promise<SiteStatus | null> {
  const text = await redis.get(key);
  return text === null ? null : (JSON.parse(text) as SiteStatus);
}
