/** How jobs lie in Redis: one BullMQ queue for each kind of work, all under `jobs:`, on one connection of ours. */

import { randomUUID } from 'node:crypto';
import type * as BullMqModule from 'bullmq';
import type { Job, Queue, Worker } from 'bullmq';
import { TandemError } from '../errors.js';
import type { Logger } from '../log.js';
import { backoffDelayMs, type Redis } from '../redis/connect.js';
import type { KeyNames } from '../redis/keys.js';

export type BullMq = typeof BullMqModule;

/** Loaded by those who need it: it takes 0.2 s, 8 MB that stay, and 20 MB of garbage. */
export async function loadBullMq(): Promise<BullMq> {
  return import('bullmq');
}

/** Jobs of all kinds by state. `delayed`: for their time, or for their next attempt. */
export interface JobCounts {
  waiting: number;
  delayed: number;
  active: number;
  failed: number;
  completed: number;
}

export const NO_JOBS: Readonly<JobCounts> = { waiting: 0, delayed: 0, active: 0, failed: 0, completed: 0 };

/** Attempts of a job that does not say. */
const ATTEMPTS = 8;
const RETRY_MIN_MS = 1000;
const RETRY_MAX_MS = 60_000;
/** Completed and failed jobs of each kind that are kept. */
const KEPT = { count: 100 };
/** Events of each kind that BullMQ keeps; nobody here reads them. */
const EVENTS = 100;
/** How long a lock lasts that nobody renews. It keeps out a process that has lost the lease, not other processes. */
export const LOCK_MS = 30_000;
/** More processes than these may not die during a job that saves no checkpoint: it counts as their cause then, and fails. */
export const MAX_DEATHS = 10;

/** Options of every job; the queue's own ones are for those a schedule makes. */
export const JOB_OPTIONS = {
  attempts: ATTEMPTS,
  backoff: { type: 'custom' },
  removeOnComplete: KEPT,
  removeOnFail: KEPT,
  stackTraceLimit: 0,
};

export interface QueueOptions {
  /** Connected, and stays the caller's. */
  readonly client: Redis;
  readonly keys: KeyNames;
  readonly kind: string;
  readonly log: Logger;
}

function baseOptions({ client, keys }: QueueOptions): {
  connection: Redis;
  prefix: string;
  skipVersionCheck: true;
} {
  // The version check is an INFO whose outcome BullMQ prints on the console. `tandem check` looks at version and eviction.
  return { connection: client, prefix: keys.jobsPrefix.slice(0, -1), skipVersionCheck: true };
}

/** To add, look at and steer jobs of one kind. With `describes` it also writes the queue's own settings. */
export function openQueue(bullmq: BullMq, options: QueueOptions & { readonly describes: boolean }): Queue {
  const queue = new bullmq.Queue(options.kind, {
    ...baseOptions(options),
    streams: { events: { maxLen: EVENTS } },
    skipMetasUpdate: !options.describes,
  });
  queue.on('error', (err) => options.log.debug({ err, kind: options.kind }, 'a queue of jobs reports'));
  return queue;
}

/** To take jobs of one kind out of the queue, one after the other. It has no connection, timer or loop of its own. */
export function openWorker(bullmq: BullMq, options: QueueOptions): Worker {
  const worker = new bullmq.Worker(
    options.kind,
    null,
    {
      ...baseOptions(options),
      autorun: false,
      lockDuration: LOCK_MS,
      // Counted here: BullMQ lets those of a schedule off.
      maxStalledCount: Number.MAX_SAFE_INTEGER,
      skipStalledCheck: true,
      runRetryDelay: RETRY_MIN_MS,
      settings: {
        backoffStrategy: (attempt: number) =>
          backoffDelayMs({ attempt, minMs: RETRY_MIN_MS, maxMs: RETRY_MAX_MS }),
      },
    },
    // BullMQ would open a second connection to block on: here the queue is asked every half second.
    (name, settings) => bullmq.createRedisBackend(name, settings),
  );
  worker.on('error', (err) => options.log.debug({ err, kind: options.kind }, 'a queue of jobs reports'));
  return worker;
}

export interface AddOptions {
  /** Made up without one. */
  readonly id?: string;
  readonly attempts?: number;
  /** One of this id that has ended does not make room. */
  readonly once?: boolean;
}

/** How often a job that has ended is taken away for a new one: others may do the same, and theirs be at work already. */
const MAX_REMOVALS = 10;

/** Whether there is no job of this id, or no more: one that has ended, or that nobody would ever do, is taken away. */
async function hasRoom(
  { queue, client }: { readonly queue: Queue; readonly client: Redis },
  id: string,
  { attempts, once }: { readonly attempts: number; readonly once: boolean },
): Promise<boolean> {
  const lock = `${queue.toKey(id)}:lock`;
  for (let removals = 1; ; removals++) {
    const found = await queue.getJob(id);
    if (found === undefined) return true;
    const state = await found.getState();
    // In no list at all: somebody has deleted the one it was in. Or its options have been deleted.
    const hasEnded = state === 'completed' || state === 'failed';
    const isWhole = found.opts.attempts === attempts;
    if (state !== 'unknown' && !(hasEnded && !(once && isWhole))) return false;
    if (state === 'unknown') await client.del(lock);
    try {
      await found.remove();
      return true;
    } catch (error) {
      // Somebody has deleted and added it: it is at work, though it stands among those that have ended as well.
      if ((await client.exists(lock)) === 1) return false;
      if (removals >= MAX_REMOVALS) throw error;
    }
  }
}

/** Adds a job, unless one of this id is waiting or at work; one that has ended makes room. Gives the job's id. */
export async function addJob(
  { queue, client }: { readonly queue: Queue; readonly client: Redis },
  data: unknown,
  { id, attempts = ATTEMPTS, once = false }: AddOptions = {},
): Promise<string> {
  if (id !== undefined) {
    if (!/^[\w.-]+$/.test(id) || /^\d+$/.test(id) || id in queue.keys)
      throw new TandemError('INTERNAL', `no job can have the id ${id}`);
    if (!(await hasRoom({ queue, client }, id, { attempts, once }))) return id;
  }
  const jobId = id ?? `${queue.name}-${randomUUID().slice(0, 8)}`;
  await queue.add(queue.name, data ?? null, { ...JOB_OPTIONS, attempts, jobId });
  return jobId;
}

/** The key of a job; its lock is the same with `:lock`. */
export function jobKey(keys: KeyNames, kind: string, id: string): string {
  return `${keys.jobsPrefix}${kind}:${id}`;
}

/** The field of a job in which somebody asks for its end. */
export const CANCEL_FIELD = 'cancel';
/** The field of a job in which its task keeps how far it is. */
export const CHECKPOINT_FIELD = 'checkpoint';

/** `delayed`: waits for its time, or for its next attempt. */
export type JobState = 'waiting' | 'delayed' | 'active' | 'completed' | 'failed';

/** What can be told of one job. Times in ms since 1970. */
export interface JobView {
  readonly id: string;
  readonly task: string;
  readonly state: JobState;
  readonly data: unknown;
  /** Null until the task has told any. */
  readonly progress: unknown;
  /** What the task returned; null before that. */
  readonly result: unknown;
  /** Why the last attempt failed. */
  readonly failure: string | null;
  /** Attempts that have ended. */
  readonly attempts: number;
  readonly maxAttempts: number;
  readonly addedAt: number;
  readonly startedAt: number | null;
  readonly endedAt: number | null;
}

export function viewOf(job: Job, state: JobState): JobView {
  return {
    id: job.id ?? '',
    task: job.queueName,
    state,
    data: job.data,
    progress: job.progress === 0 ? null : job.progress,
    result: job.returnvalue ?? null,
    failure: job.failedReason ?? null,
    attempts: job.attemptsMade,
    maxAttempts: job.opts.attempts ?? 1,
    addedAt: job.timestamp,
    startedAt: job.processedOn ?? null,
    endedAt: job.finishedOn ?? null,
  };
}
