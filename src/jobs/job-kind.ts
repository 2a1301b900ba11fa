/** The jobs of one kind, one after the other. Outlives the sessions, so that a job is never at work twice in one process. */

import { TandemError, errorLine, passesByItself } from '../errors.js';
import type { Logger } from '../log/log.js';
import { Signal } from '../async/signal.js';
import type { JobQueue } from './bullmq/job-queue.js';
import type { JobWorker, TakenJob } from './bullmq/job-worker.js';
import { JobRun, type Outcome } from './job-run.js';
import { ProgressLog } from './progress-log.js';
import type { Task } from './task.js';

/** An empty queue is asked again after this time, or at once when this process adds a job. */
const POLL_MS = 500;
/** More processes than these may not die during a job that saves no checkpoint: it counts as their cause then, and fails. */
const MAX_DEATHS = 10;

/** The queue and the worker that a session opens for one kind. */
export interface OpenKind {
  readonly queue: JobQueue;
  readonly worker: JobWorker;
}

export class JobKind {
  readonly name: string;
  readonly #task: Task;
  readonly #log: Logger;
  readonly #added = new Signal();
  /** Settles when no task of an earlier session is at work any more. */
  #lingering: Promise<void> = Promise.resolve();

  constructor(options: { name: string; task: Task; log: Logger }) {
    this.name = options.name;
    this.#task = options.task;
    this.#log = options.log;
  }

  /** A job was added: it need not wait for the next look. */
  wake(): void {
    this.#added.raise();
  }

  /**
   * Puts back what a process that is gone, or an earlier session of this one, left at work. `fence`: the token that came with the
   * site's lease. @throws TandemError FENCED when another process has the lease by now
   */
  async reclaim({ worker }: OpenKind, fence: number | undefined): Promise<void> {
    const jobs = await worker.reclaim(fence);
    if (jobs.length > 0) this.#log.info({ kind: this.name, jobs }, 'jobs that were cut off go on');
  }

  /** Takes and does jobs until the signal aborts. @throws what Redis refuses */
  async run({ worker }: OpenKind, signal: AbortSignal): Promise<void> {
    await this.#idle(signal);
    while (!signal.aborted) {
      const job = await worker.next();
      if (job !== undefined) await this.#work(job, signal);
      else await this.#added.wait(signal, POLL_MS).catch(() => {});
    }
  }

  /** A task that does not heed its signal must have ended before another of its kind begins. */
  async #idle(signal: AbortSignal): Promise<void> {
    let onAbort = (): void => {};
    const aborted = new Promise<void>((resolve) => {
      onAbort = resolve;
      signal.addEventListener('abort', onAbort, { once: true });
      if (signal.aborted) resolve();
    });
    await Promise.race([this.#lingering, aborted]);
    signal.removeEventListener('abort', onAbort);
  }

  async #work(job: TakenJob, signal: AbortSignal): Promise<void> {
    const about = { kind: this.name, job: job.id };
    if (job.deaths > MAX_DEATHS) {
      const why = 'the process died during it again and again';
      this.#log.error({ ...about, reason: why }, 'a job has failed');
      await job.fail(why, { isFinal: true });
      return;
    }
    this.#log.info({ ...about, attempt: job.attempts + 1 }, 'a job begins');
    const progress = new ProgressLog(this.#log, about);
    const onProgress = progress.note.bind(progress);
    try {
      const outcome = await new JobRun({ job, task: this.#task, signal, onProgress }).outcome();
      await this.#finish(job, outcome, progress.lastedMs);
    } finally {
      progress.close();
    }
  }

  async #finish(job: TakenJob, outcome: Outcome, lastedMs: number): Promise<void> {
    const about = { kind: this.name, job: job.id };
    switch (outcome.how) {
      case 'done':
        await job.complete(outcome.result);
        this.#log.info({ ...about, lastedMs }, 'a job is done');
        return;
      case 'cancelled':
        await job.fail('cancelled', { isFinal: true });
        this.#log.info(about, 'a job was cancelled');
        return;
      case 'failed':
        await this.#fail(job, outcome.error);
        return;
      case 'cut':
        // Nothing was wrong with the attempt.
        await job.putBack();
        return;
      case 'lingering':
        this.#lingering = outcome.task;
        this.#log.warn(about, 'a job does not end although it was told to');
        return;
      case 'lost':
        throw new TandemError('CLOSED', 'a job was taken away from this process');
    }
  }

  async #fail(job: TakenJob, error: unknown): Promise<void> {
    // A foreign error, such as a client's own about a lost connection, may pass; one of ours says so.
    const isFinal = error instanceof TandemError && !passesByItself(error);
    const isAgain = await job.fail(errorLine(error), { isFinal });
    const fields = { kind: this.name, job: job.id, attempt: job.attempts, err: error };
    if (isAgain) this.#log.warn(fields, 'a job has failed and is tried again');
    else this.#log.error(fields, 'a job has failed');
  }
}
