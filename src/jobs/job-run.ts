/** One attempt of one job: gives the task what it needs, keeps the lock, hears a cancellation, and says how it ended. */

import { setTimeout as sleep } from 'node:timers/promises';
import { TandemError } from '../errors.js';
import { LinkedAbort } from '../async/linked-abort.js';
import type { TakenJob } from './bullmq/job-worker.js';
import type { JobContext, JobProgress, Task } from './task.js';

/** How often a job at work is looked at: whether it was cancelled. */
const LOOK_MS = 500;
/** Every so many looks the lock is renewed. */
const LOOKS_TO_RENEWAL = 4;
/** How long a task has to end after its signal has aborted because the process stops. */
const END_LIMIT_MS = 1500;

export interface JobRunOptions {
  readonly job: TakenJob;
  readonly task: Task;
  /** Told how far it is. */
  readonly onProgress: (progress: JobProgress) => void;
  /** Aborts when the session ends. */
  readonly signal: AbortSignal;
}

/**
 * `cut`: the session ended first, and the task with it. `lingering`: the session ended, the task has not; until `task` settles
 * the job must not be begun again. `lost`: the lock is another's.
 */
export type Outcome =
  | { readonly how: 'done'; readonly result: unknown }
  | { readonly how: 'failed'; readonly error: unknown }
  | { readonly how: 'cancelled' | 'cut' | 'lost' }
  | { readonly how: 'lingering'; readonly task: Promise<void> };

export class JobRun {
  readonly #options: JobRunOptions;
  readonly #abort = new AbortController();
  #isCancelled = false;
  #isLost = false;

  constructor(options: JobRunOptions) {
    this.#options = options;
  }

  /** @throws TandemError when Redis does not answer: the session is over then */
  async outcome(): Promise<Outcome> {
    const { job, task } = this.#options;
    if (await job.isToEnd()) return { how: 'cancelled' };
    const context = this.#context(await job.checkpoint());
    const over = new AbortController();
    const ending: { outcome?: Outcome; failure?: unknown } = {};
    const working = begin(task, context).then((outcome) => void (ending.outcome = outcome));
    const cutOff = this.#keep(over.signal, (failure) => (ending.failure = failure));
    await Promise.race([working, cutOff]);
    over.abort();
    if (ending.outcome === undefined) return { how: 'lingering', task: working };
    if (ending.failure !== undefined) throw ending.failure;
    return this.#judged(ending.outcome);
  }

  /** Ends when the work is over, or so long after the session's end that it will not be waited for. */
  async #keep(over: AbortSignal, failed: (error: unknown) => void): Promise<void> {
    const either = new LinkedAbort(over, this.#options.signal);
    await this.#look(either.signal).catch(failed);
    either.abort();
    if (over.aborted) return;
    this.#abort.abort(new TandemError('CLOSED', 'the process stops, or has lost its connection for jobs'));
    await sleep(END_LIMIT_MS, undefined, { signal: over }).catch(() => {});
  }

  #judged(outcome: Outcome): Outcome {
    if (this.#isLost) return { how: 'lost' };
    if (outcome.how !== 'failed') return outcome;
    if (this.#isCancelled) return { how: 'cancelled' };
    return this.#options.signal.aborted ? { how: 'cut' } : outcome;
  }

  #context(checkpoint: unknown): JobContext {
    const { job, onProgress } = this.#options;
    return {
      id: job.id,
      data: job.data,
      checkpoint,
      signal: this.#abort.signal,
      save: async (next) => {
        if (!(await job.save(next)))
          throw new TandemError('CLOSED', 'the job belongs to another process now');
      },
      progress: (progress) => {
        onProgress(progress);
        return job.tell(progress);
      },
    };
  }

  /** Until the signal aborts: hears a cancellation, and keeps the lock. Ends early only when the lock is lost. */
  async #look(signal: AbortSignal): Promise<void> {
    const { job } = this.#options;
    for (let looks = 1; !signal.aborted; looks++) {
      await sleep(LOOK_MS, undefined, { signal }).catch(() => {});
      if (signal.aborted) return;
      if (await job.isToEnd()) {
        this.#isCancelled = true;
        this.#abort.abort(new TandemError('CLOSED', 'the job was cancelled'));
      }
      if (looks % LOOKS_TO_RENEWAL !== 0) continue;
      if (await job.keepLock()) continue;
      this.#isLost = true;
      return;
    }
  }
}

async function begin(task: Task, context: JobContext): Promise<Outcome> {
  try {
    return { how: 'done', result: await task(context) };
  } catch (error) {
    return { how: 'failed', error };
  }
}
