/** Whether somebody holds the lease, as anyone at the server can see it. */

import { setTimeout as sleep } from 'node:timers/promises';
import type { Redis } from '../redis/connect.js';

/** A holder whose connection is gone for so long will not come back soon. */
export const GONE_MS = 300;

/** `gone`: the lease has not ended, but the connection of the process that took it has, for 300 ms. */
export type Holder = 'there' | 'gone' | 'nobody';

/** @param lease name of its key */
export async function readHolder(redis: Redis, lease: string): Promise<Holder> {
  const [first, isGone] = await look(redis, lease);
  if (!isGone) return first === null ? 'nobody' : 'there';
  await sleep(GONE_MS);
  const [second, isStillGone] = await look(redis, lease);
  if (second === null) return 'nobody';
  return isStillGone && second === first ? 'gone' : 'there';
}

/** A `+` behind the name: at its last renewal it was subscribed to its own channel (see `take-lease.lua`). */
async function look(redis: Redis, lease: string): Promise<[held: string | null, isGone: boolean]> {
  const held = await redis.get(lease);
  if (held === null || !held.endsWith('+')) return [held, false];
  const channel = `${lease}:${held.slice(0, -1)}`;
  // An account that may not ask knows as little as of a holder without a `+`.
  const reply = await redis.pubsub('NUMSUB', channel).catch(() => [channel, 1]);
  return [held, Number(reply[1]) === 0];
}
