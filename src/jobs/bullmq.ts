/**
 * How jobs lie in Redis: one BullMQ queue for each kind of work, all under `jobs:`, on one connection of ours. This file alone knows
 * BullMQ, and the keys and fields it keeps: the lock of a job, its count of deaths, the list of jobs at work. What Redis refuses is
 * thrown as a TandemError.
 */

import { randomUUID } from 'node:crypto';
import type * as BullMqModule from 'bullmq';
import type { Job, Queue, Worker } from 'bullmq';
import { TandemError } from '../errors.js';
import type { Logger } from '../log/log.js';
import { runScript } from '../lua/scripts.js';
import { answerOf, backoffDelayMs, type Redis } from '../redis/connect.js';
import type { KeyNames } from '../redis/keys.js';
import { NO_JOBS, type AddOptions, type JobCounts, type JobState, type JobView } from './job-view.js';
import type { JobProgress } from './task.js';

type BullMq = typeof BullMqModule;

/** Loaded by those who need it: it takes 0.2 s, 8 MB that stay, and 20 MB of garbage. */
const loadBullMq = (): Promise<BullMq> => import('bullmq');

/** Attempts of a job that does not say. */
const ATTEMPTS = 8;
const RETRY_MIN_MS = 1000;
const RETRY_MAX_MS = 60_000;
/** Completed and failed jobs of each kind that are kept. */
const KEPT = { count: 100 };
/** Events of each kind that BullMQ keeps; nobody here reads them. */
const EVENTS = 100;
/** How long a lock lasts that nobody renews. It keeps out a process that has lost the lease, not other processes. */
const LOCK_MS = 30_000;
/** How often a job that has ended is taken away for a new one: others may do the same, and theirs be at work already. */
const MAX_REMOVALS = 10;
/** Of each kind and state. */
const MAX_LISTED = 100;
/** The field of a job in which somebody asks for its end. */
const CANCEL_FIELD = 'cancel';
/** The field of a job in which its task keeps how far it is. */
const CHECKPOINT_FIELD = 'checkpoint';

/** Options of every job; the queue's own ones are for those a schedule makes. */
const JOB_OPTIONS = {
  attempts: ATTEMPTS,
  backoff: { type: 'custom' },
  removeOnComplete: KEPT,
  removeOnFail: KEPT,
  stackTraceLimit: 0,
};

/** BullMQ's names of the states a job can be in here. */
const STATES: Readonly<Record<string, JobState>> = {
  waiting: 'waiting',
  prioritized: 'waiting',
  delayed: 'delayed',
  active: 'active',
  completed: 'completed',
  failed: 'failed',
};
/** BullMQ's names of the lists, in the order in which they are shown. */
const LISTS = [
  ['active', 'active'],
  ['wait', 'waiting'],
  ['delayed', 'delayed'],
  ['failed', 'failed'],
  ['completed', 'completed'],
] as const;

export interface QueueOptions {
  /** Connected, and stays the caller's. */
  readonly client: Redis;
  readonly keys: KeyNames;
  readonly kind: string;
  readonly log: Logger;
}

function baseOptions({ client, keys }: QueueOptions): BullMqModule.QueueOptions {
  // The version check is an INFO whose outcome BullMQ prints on the console. `tandem check` looks at version and eviction.
  return { connection: client, prefix: keys.jobsPrefix.slice(0, -1), skipVersionCheck: true };
}

function lockOf(jobKey: string): string {
  return `${jobKey}:lock`;
}

/** To add, look at and steer jobs of one kind. */
export class JobQueue {
  readonly #queue: Queue;
  readonly #client: Redis;

  private constructor(queue: Queue, client: Redis) {
    this.#queue = queue;
    this.#client = client;
  }

  /** With `describes` it also writes the queue's own settings. */
  static async open(options: QueueOptions & { readonly describes: boolean }): Promise<JobQueue> {
    const bullmq = await loadBullMq();
    const queue = new bullmq.Queue(options.kind, {
      ...baseOptions(options),
      streams: { events: { maxLen: EVENTS } },
      skipMetasUpdate: !options.describes,
    });
    queue.on('error', (err) => options.log.debug({ err, kind: options.kind }, 'a queue of jobs reports'));
    return new JobQueue(queue, options.client);
  }

  /** Adds a job, unless one of this id is waiting or at work; one that has ended makes room. Gives the job's id. */
  async add(data: unknown, { id, attempts = ATTEMPTS, once = false }: AddOptions = {}): Promise<string> {
    if (id !== undefined) {
      if (!/^[\w.-]+$/.test(id) || /^\d+$/.test(id) || this.#isReserved(id))
        throw new TandemError('INTERNAL', `no job can have the id ${id}`);
      if (!(await this.#answerOf(this.#hasRoom(id, { attempts, once })))) return id;
    }
    const jobId = id ?? `${this.#queue.name}-${randomUUID().slice(0, 8)}`;
    await this.#answerOf(
      this.#queue.add(this.#queue.name, data ?? null, { ...JOB_OPTIONS, attempts, jobId }),
    );
    return jobId;
  }

  /** A job, or undefined when there is none of this id (any more). */
  async get(id: string): Promise<JobView | undefined> {
    if (this.#isReserved(id)) return undefined;
    // The state first: a job that has ended shows how.
    const state = STATES[await this.#answerOf(this.#queue.getJobState(id))];
    if (state === undefined) return undefined;
    const job = await this.#answerOf(this.#queue.getJob(id));
    return job === undefined ? undefined : viewOf(job, state);
  }

  /** Those at work first; of each state a hundred at the most. */
  async list(): Promise<JobView[]> {
    const found: JobView[] = [];
    for (const [list, state] of LISTS) {
      const jobs = await this.#answerOf(this.#queue.getJobs([list], 0, MAX_LISTED - 1));
      found.push(...jobs.filter(Boolean).map((job) => viewOf(job, state)));
    }
    return found;
  }

  async counts(): Promise<JobCounts> {
    const found = await this.#answerOf(this.#queue.getJobCounts(...LISTS.map(([list]) => list)));
    const counts = { ...NO_JOBS };
    for (const [list, state] of LISTS) counts[state] = found[list] ?? 0;
    return counts;
  }

  /** No job begins until `resume`; those at work go on. */
  async pause(): Promise<void> {
    await this.#answerOf(this.#queue.pause());
  }

  async resume(): Promise<void> {
    await this.#answerOf(this.#queue.resume());
  }

  async isPaused(): Promise<boolean> {
    return this.#answerOf(this.#queue.isPaused());
  }

  /** Takes a job away that waits. False when it has begun meanwhile, or is the next one of a schedule. */
  async remove(id: string): Promise<boolean> {
    const job = await this.#answerOf(this.#queue.getJob(id));
    const isGone = await job?.remove().then(
      () => true,
      () => false,
    );
    return isGone !== false;
  }

  /** Asks whoever works on a job to end it, and whoever takes it not to begin. False when there is no such job. */
  async askForEnd(id: string): Promise<boolean> {
    const key = this.#queue.toKey(id);
    return (
      (await runScript(this.#client, 'set-job-field', [key, lockOf(key)], ['', CANCEL_FIELD, '1'])) === 1
    );
  }

  /** An unchanged schedule is left alone: what fell due while no process ran is made up for. @param cron empty: none */
  async keepSchedule(name: string, cron: string): Promise<void> {
    const queue = this.#queue;
    const found = await this.#answerOf(queue.getJobScheduler(name));
    if (cron === '') {
      if (found !== undefined) await this.#answerOf(queue.removeJobScheduler(name));
    } else if (found?.pattern !== cron) {
      const template = { name, data: {}, opts: JOB_OPTIONS };
      await this.#answerOf(queue.upsertJobScheduler(name, { pattern: cron }, template));
    }
  }

  /** Lets go of the connection without closing it. */
  async close(): Promise<void> {
    await this.#queue.close();
  }

  /** Whether there is no job of this id, or no more: one that has ended, or that nobody would ever do, is taken away. */
  async #hasRoom(
    id: string,
    { attempts, once }: { readonly attempts: number; readonly once: boolean },
  ): Promise<boolean> {
    const lock = lockOf(this.#queue.toKey(id));
    for (let removals = 1; ; removals++) {
      const found = await this.#queue.getJob(id);
      if (found === undefined) return true;
      const state = await found.getState();
      // In no list at all: somebody has deleted the one it was in. Or its options have been deleted.
      const hasEnded = state === 'completed' || state === 'failed';
      const isWhole = found.opts.attempts === attempts;
      if (state !== 'unknown' && !(hasEnded && !(once && isWhole))) return false;
      if (state === 'unknown') await this.#client.del(lock);
      try {
        await found.remove();
        return true;
      } catch (error) {
        // Somebody has deleted and added it: it is at work, though it stands among those that have ended as well.
        if ((await this.#client.exists(lock)) === 1) return false;
        if (removals >= MAX_REMOVALS) throw error;
      }
    }
  }

  /** Whether BullMQ has a key of its own by that name. */
  #isReserved(id: string): boolean {
    return id in this.#queue.keys;
  }

  #answerOf<T>(work: Promise<T>): Promise<T> {
    return answerOf(this.#client, work);
  }
}

/** To take jobs of one kind out of the queue, one after the other. It has no connection, timer or loop of its own. */
export class JobWorker {
  readonly #bullmq: BullMq;
  readonly #worker: Worker;
  readonly #options: QueueOptions;
  /** Of the locks on the jobs it takes. */
  readonly #token = randomUUID();

  private constructor(bullmq: BullMq, options: QueueOptions) {
    this.#bullmq = bullmq;
    this.#options = options;
    const { kind, log } = options;
    this.#worker = new bullmq.Worker(
      kind,
      null,
      {
        ...baseOptions(options),
        autorun: false,
        lockDuration: LOCK_MS,
        // Counted by whoever takes the jobs: BullMQ lets those of a schedule off.
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
    this.#worker.on('error', (err) => log.debug({ err, kind }, 'a queue of jobs reports'));
  }

  static async open(options: QueueOptions): Promise<JobWorker> {
    return new JobWorker(await loadBullMq(), options);
  }

  /**
   * Puts back what a process that is gone, or an earlier session of this one, left at work. `fence`: the token that came with the
   * site's lease. Gives the ids. @throws TandemError FENCED when another process has the lease by now
   */
  async reclaim(fence: number | undefined): Promise<string[]> {
    const { client, keys } = this.#options;
    const { active, stalled, 'stalled-check': checked } = this.#worker.keys as Record<string, string>;
    const names = [keys.fence, active!, stalled!, checked!];
    const ids = (await runScript(client, 'reclaim-jobs', names, [
      fence ?? '',
      this.#worker.toKey(''),
    ])) as string[];
    if (ids.length === 0) return [];
    return answerOf(client, this.#worker.getBackend().moveStalledJobsToWait());
  }

  /** The next job, which is locked for this worker then; undefined when none is due. */
  async next(): Promise<TakenJob | undefined> {
    const { client } = this.#options;
    const job = (await answerOf(client, this.#worker.getNextJob(this.#token, { block: false }))) as
      | Job
      | undefined;
    if (job === undefined) return undefined;
    const key = this.#worker.toKey(job.id ?? '');
    return new TakenJob({ job, key, client, token: this.#token, bullmq: this.#bullmq });
  }

  /** Lets go of the connection without closing it. */
  async close(): Promise<void> {
    await this.#worker.close(true);
  }
}

/** A job at work, locked by the worker that has taken it. */
export class TakenJob {
  readonly #job: Job;
  readonly #client: Redis;
  readonly #token: string;
  readonly #bullmq: BullMq;
  readonly #key: string;

  constructor(taken: { job: Job; key: string; client: Redis; token: string; bullmq: BullMq }) {
    this.#job = taken.job;
    this.#client = taken.client;
    this.#token = taken.token;
    this.#bullmq = taken.bullmq;
    this.#key = taken.key;
  }

  get id(): string {
    return this.#job.id ?? '';
  }

  get data(): unknown {
    return this.#job.data;
  }

  /** Attempts that have ended. */
  get attempts(): number {
    return this.#job.attemptsMade;
  }

  /** Processes that died during it, since it last saved a checkpoint. */
  get deaths(): number {
    return this.#job.stalledCounter;
  }

  /** What its task last saved; null before that. */
  async checkpoint(): Promise<unknown> {
    return JSON.parse((await this.#field(CHECKPOINT_FIELD)) ?? 'null') as unknown;
  }

  /** Whether a person has asked for its end. */
  async isToEnd(): Promise<boolean> {
    return (await this.#field(CANCEL_FIELD)) !== null;
  }

  /** False when the lock is another's. Shows that the job moves: deaths are counted anew. */
  async save(checkpoint: unknown): Promise<boolean> {
    const args = [this.#token, CHECKPOINT_FIELD, JSON.stringify(checkpoint ?? null)];
    return (await runScript(this.#client, 'set-job-field', [this.#key, lockOf(this.#key)], args)) === 1;
  }

  async tell(progress: JobProgress): Promise<void> {
    await answerOf(this.#client, this.#job.updateProgress(progress));
  }

  /** Makes the lock last longer. False when it is another's. */
  async keepLock(): Promise<boolean> {
    return (await answerOf(this.#client, this.#job.extendLock(this.#token, LOCK_MS))) === 1;
  }

  async complete(result: unknown): Promise<void> {
    await answerOf(this.#client, this.#job.moveToCompleted(result ?? null, this.#token, false));
  }

  /** The attempt has failed. Gives whether there will be another one: none if it `isFinal`. */
  async fail(why: string, { isFinal }: { isFinal: boolean }): Promise<boolean> {
    const error = isFinal ? new this.#bullmq.UnrecoverableError(why) : new Error(why);
    error.stack = '';
    await answerOf(this.#client, this.#job.moveToFailed(error, this.#token, false));
    return !isFinal && this.#job.attemptsMade < (this.#job.opts.attempts ?? 1);
  }

  /** As if it had not been taken: the attempt does not count. */
  async putBack(): Promise<void> {
    await answerOf(this.#client, this.#job.moveToWait(this.#token));
  }

  #field(name: string): Promise<string | null> {
    return answerOf(this.#client, this.#client.hget(this.#key, name));
  }
}

function viewOf(job: Job, state: JobState): JobView {
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
