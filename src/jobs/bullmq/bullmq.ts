/**
 * How jobs lie in Redis: one BullMQ queue for each kind of work, all under `jobs:`, on one connection of ours. This folder alone knows
 * BullMQ, and the keys and fields it keeps: the lock of a job, its count of deaths, the list of jobs at work. What
 * Redis refuses is thrown as a TandemError.
 */

import type * as BullMqModule from 'bullmq';
import type { Logger } from '../../log/log.js';
import type { Redis } from '../../redis/connect.js';
import type { KeyNames } from '../../redis/keys.js';

export type BullMq = typeof BullMqModule;

/** Loaded by those who need it: it takes 0.2 s, 8 MB that stay, and 20 MB of garbage. */
export const loadBullMq = (): Promise<BullMq> => import('bullmq');

/** The field of a job in which somebody asks for its end. */
export const CANCEL_FIELD = 'cancel';

export interface QueueOptions {
  /** Connected, and stays the caller's. */
  readonly client: Redis;
  readonly keys: KeyNames;
  readonly kind: string;
  readonly log: Logger;
}

export function baseOptions({ client, keys }: QueueOptions): BullMqModule.QueueOptions {
  // The version check is an INFO whose outcome BullMQ prints on the console. `tandem check` looks at version and eviction.
  return { connection: client, prefix: keys.jobsPrefix.slice(0, -1), skipVersionCheck: true };
}

export function lockOf(jobKey: string): string {
  return `${jobKey}:lock`;
}
