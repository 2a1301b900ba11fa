import type { Redis } from '../redis/connect.js';
import type { SiteStatus } from './status.js';

/** How long the status stays when the process has died. */
export const STATUS_TTL_MS = 15_000;
/** A process that has written none for so long stands still, or is cut off. */
export const SILENT_MS = 5000;

/** The status the running process wrote, or null if there is none. */
export async function readStatusKey(redis: Redis, key: string): Promise<SiteStatus | null> {
  const text = await redis.get(key);
  return text === null ? null : (JSON.parse(text) as SiteStatus);
}

/** The status that the running process wrote last, and its age by the clock of the server. Null where it is gone, or has not begun. */
export async function readHeartbeat(
  redis: Redis,
  key: string,
): Promise<{ status: SiteStatus; ageMs: number } | null> {
  const status = await readStatusKey(redis, key);
  const leftMs = await redis.pttl(key);
  return status === null || leftMs < 0 ? null : { status, ageMs: STATUS_TTL_MS - leftMs };
}
