/** Jobs as the commands see them: in the local Redis, whether or not a process runs. */

import { setTimeout as sleep } from 'node:timers/promises';
import type { Queue } from 'bullmq';
import { TandemError } from '../errors.js';
import type { Logger } from '../log.js';
import { runScript } from '../lua/scripts.js';
import { answerOf, type Redis } from '../redis/connect.js';
import type { KeyNames } from '../redis/keys.js';
import {
  addJob,
  CANCEL_FIELD,
  jobKey,
  loadBullMq,
  openQueue,
  viewOf,
  type AddOptions,
  type JobState,
  type JobView,
} from './job-queue.js';

export type { JobView } from './job-queue.js';

/** How often `follow` looks. */
const FOLLOW_MS = 300;

/** BullMQ's names of the states a job can be in here. */
const STATES: Readonly<Record<string, JobState>> = {
  waiting: 'waiting',
  prioritized: 'waiting',
  delayed: 'delayed',
  active: 'active',
  completed: 'completed',
  failed: 'failed',
};
const LISTED = [
  ['active', 'active'],
  ['wait', 'waiting'],
  ['delayed', 'delayed'],
  ['failed', 'failed'],
  ['completed', 'completed'],
] as const;
const MAX_LISTED = 100;

export interface JobClientOptions {
  /** Connected; stays the caller's. */
  readonly client: Redis;
  readonly keys: KeyNames;
  readonly log: Logger;
}

export class JobClient {
  readonly #options: JobClientOptions;
  readonly #queues = new Map<string, Queue>();

  constructor(options: JobClientOptions) {
    this.#options = options;
  }

  /** Adds a job unless one of this id is waiting or at work, and gives its id. A process that knows the task does it. */
  async add(task: string, data: unknown, options: AddOptions = {}): Promise<string> {
    const { client, keys } = this.#options;
    const queue = await this.#queue(task);
    await answerOf(client, client.sadd(keys.jobKinds, task));
    return answerOf(client, addJob({ queue, client }, data, options));
  }

  /** A job, or undefined when there is none of this id (any more). */
  async get(id: string): Promise<JobView | undefined> {
    return (await this.#find(id))?.view;
  }

  /** All jobs, those at work first; of each kind and state a hundred at the most. */
  async list(): Promise<JobView[]> {
    const found: JobView[] = [];
    for (const queue of await this.#all()) {
      for (const [type, state] of LISTED) {
        const jobs = await answerOf(this.#options.client, queue.getJobs([type], 0, MAX_LISTED - 1));
        found.push(...jobs.filter(Boolean).map((job) => viewOf(job, state)));
      }
    }
    const order = LISTED.map(([, state]) => state);
    return found.toSorted((a, b) => order.indexOf(a.state) - order.indexOf(b.state) || b.addedAt - a.addedAt);
  }

  /** No job begins until `resume`; those at work go on. */
  async pause(): Promise<void> {
    for (const queue of await this.#all()) await answerOf(this.#options.client, queue.pause());
  }

  async resume(): Promise<void> {
    for (const queue of await this.#all()) await answerOf(this.#options.client, queue.resume());
  }

  /** Whether jobs of any kind are paused. */
  async isPaused(): Promise<boolean> {
    const queues = await this.#all();
    const paused = await Promise.all(
      queues.map(async (queue) => answerOf(this.#options.client, queue.isPaused())),
    );
    return paused.includes(true);
  }

  /**
   * Takes a waiting job away; asks the process to end one that is at work, which then fails as cancelled.
   * @returns what was done; `ended` and `unknown`: nothing
   */
  async cancel(id: string): Promise<'removed' | 'asked' | 'ended' | 'unknown'> {
    const { client, keys } = this.#options;
    const found = await this.#find(id);
    if (found === undefined) return 'unknown';
    const { queue, view } = found;
    if (view.state === 'completed' || view.state === 'failed') return 'ended';
    if (view.state !== 'active') {
      const job = await answerOf(client, queue.getJob(id));
      // Refused when it has begun meanwhile, or is the next one of a schedule: then it is cancelled when it begins.
      const isGone = await job?.remove().then(
        () => true,
        () => false,
      );
      if (isGone !== false) return 'removed';
    }
    const key = jobKey(keys, view.task, id);
    const asked = await runScript(client, 'job', [key, `${key}:lock`], ['', CANCEL_FIELD, '1']);
    return asked === 1 ? 'asked' : 'unknown';
  }

  /**
   * Tells of each new progress until the job has ended, and gives it as it ended.
   * @throws TandemError CLOSED when the signal aborts or the job is gone
   */
  async follow(id: string, onProgress: (job: JobView) => void, signal: AbortSignal): Promise<JobView> {
    let told = '';
    for (;;) {
      const job = await this.get(id);
      if (job === undefined) throw new TandemError('CLOSED', `there is no job ${id} (any more)`);
      const now = JSON.stringify([job.state, job.progress, job.attempts]);
      if (now !== told) onProgress(job);
      told = now;
      if (job.state === 'completed' || job.state === 'failed') return job;
      await sleep(FOLLOW_MS, undefined, { signal }).catch(() => {});
      if (signal.aborted) throw new TandemError('CLOSED', `stopped following the job ${id}`);
    }
  }

  /** Lets go of the connection without closing it. */
  async close(): Promise<void> {
    for (const queue of this.#queues.values()) await queue.close().catch(() => {});
    this.#queues.clear();
  }

  async #find(id: string): Promise<{ queue: Queue; view: JobView } | undefined> {
    const { client } = this.#options;
    for (const queue of await this.#all()) {
      if (id in queue.keys) continue;
      // The state first: a job that has ended shows how.
      const state = STATES[await answerOf(client, queue.getJobState(id))];
      if (state === undefined) continue;
      const job = await answerOf(client, queue.getJob(id));
      if (job === undefined) continue;
      return { queue, view: viewOf(job, state) };
    }
    return undefined;
  }

  async #all(): Promise<Queue[]> {
    const { client, keys } = this.#options;
    const kinds = await answerOf(client, client.smembers(keys.jobKinds));
    return Promise.all(kinds.toSorted().map(async (kind) => this.#queue(kind)));
  }

  async #queue(kind: string): Promise<Queue> {
    const bullmq = await loadBullMq();
    let queue = this.#queues.get(kind);
    if (queue === undefined) {
      queue = openQueue(bullmq, { ...this.#options, kind, describes: false });
      this.#queues.set(kind, queue);
    }
    return queue;
  }
}
