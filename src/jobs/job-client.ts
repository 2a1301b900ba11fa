/** Jobs as the commands see them: in the local Redis, whether or not a process runs. */

import { setTimeout as sleep } from 'node:timers/promises';
import { TandemError } from '../errors.js';
import type { Logger } from '../log/log.js';
import { answerOf, type Redis } from '../redis/connect.js';
import type { KeyNames } from '../redis/keys.js';
import { JobQueue } from './bullmq/job-queue.js';
import type { AddOptions, JobState, JobView } from './job-view.js';

export type { JobView } from './job-view.js';

/** How often `follow` looks. */
const FOLLOW_MS = 300;

/** In which jobs are shown. */
const ORDER: readonly JobState[] = ['active', 'waiting', 'delayed', 'failed', 'completed'];

export interface JobClientOptions {
  /** Connected; stays the caller's. */
  readonly client: Redis;
  readonly keys: KeyNames;
  readonly log: Logger;
}

export class JobClient {
  readonly #options: JobClientOptions;
  readonly #queues = new Map<string, JobQueue>();

  constructor(options: JobClientOptions) {
    this.#options = options;
  }

  /** Adds a job unless one of this id is waiting or at work, and gives its id. A process that knows the task does it. */
  async add(task: string, data: unknown, options: AddOptions = {}): Promise<string> {
    const { client, keys } = this.#options;
    const queue = await this.#queue(task);
    await answerOf(client, client.sadd(keys.jobKinds, task));
    return queue.add(data, options);
  }

  /** A job, or undefined when there is none of this id (any more). */
  async get(id: string): Promise<JobView | undefined> {
    return (await this.#find(id))?.view;
  }

  /** All jobs, those at work first; of each kind and state a hundred at the most. @param states only those in one of these */
  async list(states?: readonly JobState[]): Promise<JobView[]> {
    const lists = await Promise.all((await this.#all()).map((queue) => queue.list(states)));
    return lists
      .flat()
      .toSorted((a, b) => ORDER.indexOf(a.state) - ORDER.indexOf(b.state) || b.addedAt - a.addedAt);
  }

  /** No job begins until `resume`; those at work go on. */
  async pause(): Promise<void> {
    for (const queue of await this.#all()) await queue.pause();
  }

  async resume(): Promise<void> {
    for (const queue of await this.#all()) await queue.resume();
  }

  /** Whether jobs of any kind are paused. */
  async isPaused(): Promise<boolean> {
    const queues = await this.#all();
    const paused = await Promise.all(queues.map((queue) => queue.isPaused()));
    return paused.includes(true);
  }

  /**
   * Takes a waiting job away; asks the process to end one that is at work, which then fails as cancelled.
   * @returns what was done; `ended` and `unknown`: nothing
   */
  async cancel(id: string): Promise<'removed' | 'asked' | 'ended' | 'unknown'> {
    const found = await this.#find(id);
    if (found === undefined) return 'unknown';
    const { queue, view } = found;
    if (view.state === 'completed' || view.state === 'failed') return 'ended';
    // A job that cannot be taken away is cancelled when it begins.
    if (view.state !== 'active' && (await queue.remove(id))) return 'removed';
    return (await queue.askForEnd(id)) ? 'asked' : 'unknown';
  }

  /**
   * Lets a failed job wait to be tried again, from where it was, whether it failed by itself or was cancelled.
   * @returns what was done; all but `waits`: nothing
   */
  async retry(id: string): Promise<'waits' | 'not failed' | 'unknown'> {
    const found = await this.#find(id);
    if (found === undefined) return 'unknown';
    return found.view.state === 'failed' && (await found.queue.retry(id)) ? 'waits' : 'not failed';
  }

  /** Takes a job off the list that has ended. @returns what was done; all but `dropped`: nothing */
  async drop(id: string): Promise<'dropped' | 'not ended' | 'unknown'> {
    const found = await this.#find(id);
    if (found === undefined) return 'unknown';
    const { queue, view } = found;
    const hasEnded = view.state === 'completed' || view.state === 'failed';
    return hasEnded && (await queue.remove(id)) ? 'dropped' : 'not ended';
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

  async #find(id: string): Promise<{ queue: JobQueue; view: JobView } | undefined> {
    for (const queue of await this.#all()) {
      const view = await queue.get(id);
      if (view !== undefined) return { queue, view };
    }
    return undefined;
  }

  async #all(): Promise<JobQueue[]> {
    const { client, keys } = this.#options;
    const kinds = await answerOf(client, client.smembers(keys.jobKinds));
    return Promise.all(kinds.toSorted().map(async (kind) => this.#queue(kind)));
  }

  async #queue(kind: string): Promise<JobQueue> {
    const known = this.#queues.get(kind);
    if (known !== undefined) return known;
    const opened = await JobQueue.open({ ...this.#options, kind, describes: false });
    // Another call may have opened it meanwhile.
    const queue = this.#queues.get(kind) ?? opened;
    if (queue !== opened) await opened.close();
    this.#queues.set(kind, queue);
    return queue;
  }
}
