import { randomUUID } from 'node:crypto';
import type { Job, Queue } from 'bullmq';
import { TandemError } from '../../errors.js';
import { runScript } from '../../lua/scripts.js';
import { answerOf, refusalOf, whereOf, type Redis } from '../../redis/connect.js';
import { NO_JOBS, type AddOptions, type JobCounts, type JobState, type JobView } from '../job-view.js';
import { CANCEL_FIELD, baseOptions, loadBullMq, lockOf, type QueueOptions } from './bullmq.js';

/** Attempts of a job that does not say. */
const ATTEMPTS = 8;
/** Completed and failed jobs of each kind that are kept. */
const KEPT = { count: 100 };
/** Events of each kind that BullMQ keeps; nobody here reads them. */
const EVENTS = 100;
/** How often a job that has ended is taken away for a new one: others may do the same, and theirs be at work already. */
const MAX_REMOVALS = 10;
/** Of each kind and state. */
const MAX_LISTED = 100;
/** BullMQ's errors for a job that is gone, or no longer in the state it was in. */
const GONE_CODES: readonly unknown[] = [-1, -3];

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

  /** Those at work first; of each state a hundred at the most. @param states only jobs in one of these */
  async list(states?: readonly JobState[]): Promise<JobView[]> {
    const found: JobView[] = [];
    for (const [list, state] of LISTS) {
      if (states?.includes(state) === false) continue;
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

  /**
   * Lets a failed job wait again, with all its attempts before it: it goes on from its checkpoint. One that was cancelled does so, too.
   * False when it is gone, or has not failed.
   */
  async retry(id: string): Promise<boolean> {
    const job = await this.#answerOf(this.#queue.getJob(id));
    if (job === undefined || !(await this.#answerOf(job.isFailed()))) return false;
    // Before it waits: a process may take it at once.
    const isReady = await runScript(
      this.#client,
      'ready-failed-job',
      [this.#queue.toKey(id)],
      [CANCEL_FIELD],
    );
    if (isReady !== 1) return false;
    try {
      await job.retry('failed', { resetAttemptsMade: true, resetAttemptsStarted: true });
      return true;
    } catch (error) {
      if (GONE_CODES.includes((error as { code?: unknown }).code)) return false;
      throw refusalOf(error, whereOf(this.#client));
    }
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
        // The job was deleted and added anew by hand: it is at work, though it also stands among those that have ended.
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
