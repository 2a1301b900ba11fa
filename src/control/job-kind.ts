/** The jobs of one kind, one after the other. Outlives the sessions, so that a job is never at work twice in one process. */

import type { Job, Queue, Worker } from 'bullmq';
import { TandemError, errorLine, passesByItself } from '../errors.js';
import type { Logger } from '../log.js';
import { runScript } from '../lua/scripts.js';
import { answerOf, type Redis } from '../redis/connect.js';
import type { KeyNames } from '../redis/keys.js';
import { Signal } from '../service/signal.js';
import { jobKey, MAX_DEATHS, type BullMq } from './job-queue.js';
import { JobRun, type Outcome } from './job-run.js';
import type { Task } from './task.js';

/** An empty queue is asked again after this time, or at once when this process adds a job. */
const POLL_MS = 500;

/** What a session has opened for one kind. */
export interface OpenKind {
  readonly bullmq: BullMq;
  readonly client: Redis;
  readonly queue: Queue;
  readonly worker: Worker;
  /** Of the locks of this session. */
  readonly token: string;
}

export class JobKind {
  readonly name: string;
  readonly #task: Task;
  readonly #keys: KeyNames;
  readonly #log: Logger;
  readonly #added = new Signal();
  /** Settles when no task of an earlier session is at work any more. */
  #lingering: Promise<void> = Promise.resolve();

  constructor(options: { name: string; task: Task; keys: KeyNames; log: Logger }) {
    this.name = options.name;
    this.#task = options.task;
    this.#keys = options.keys;
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
  async reclaim({ client, worker }: OpenKind, fence: number | undefined): Promise<void> {
    const { active, stalled, 'stalled-check': checked } = worker.keys as Record<string, string>;
    const keys = [this.#keys.fence, active!, stalled!, checked!];
    const ids = await runScript(client, 'reclaim', keys, [fence ?? '', jobKey(this.#keys, this.name, '')]);
    if ((ids as string[]).length === 0) return;
    const jobs = await answerOf(client, worker.getBackend().moveStalledJobsToWait());
    this.#log.info({ kind: this.name, jobs }, 'jobs that were cut off go on');
  }

  /** Takes and does jobs until the signal aborts. @throws what Redis refuses */
  async run(open: OpenKind, signal: AbortSignal): Promise<void> {
    await this.#idle(signal);
    while (!signal.aborted) {
      const job = (await answerOf(open.client, open.worker.getNextJob(open.token, { block: false }))) as
        | Job
        | undefined;
      if (job !== undefined) await this.#work(open, job, signal);
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

  async #work(open: OpenKind, job: Job, signal: AbortSignal): Promise<void> {
    const { client, token } = open;
    const about = { kind: this.name, job: job.id };
    if (job.stalledCounter > MAX_DEATHS) {
      const why = 'the process died during it again and again';
      this.#log.error({ ...about, reason: why }, 'a job has failed');
      await answerOf(client, job.moveToFailed(new open.bullmq.UnrecoverableError(why), token, false));
      return;
    }
    this.#log.info({ ...about, attempt: job.attemptsMade + 1 }, 'a job begins');
    const run = new JobRun({ job, task: this.#task, token, client, keys: this.#keys, signal });
    const outcome = await run.outcome();
    await this.#finish(open, job, outcome);
  }

  async #finish({ bullmq, client, token }: OpenKind, job: Job, outcome: Outcome): Promise<void> {
    const about = { kind: this.name, job: job.id };
    switch (outcome.how) {
      case 'done':
        await answerOf(client, job.moveToCompleted(outcome.result ?? null, token, false));
        this.#log.info(about, 'a job is done');
        return;
      case 'cancelled':
        await answerOf(client, job.moveToFailed(new bullmq.UnrecoverableError('cancelled'), token, false));
        this.#log.info(about, 'a job was cancelled');
        return;
      case 'failed':
        await this.#fail({ bullmq, client, token, job, error: outcome.error });
        return;
      case 'cut':
        // The attempt does not count: nothing was wrong with it.
        await answerOf(client, job.moveToWait(token));
        return;
      case 'lingering':
        this.#lingering = outcome.task;
        this.#log.warn(about, 'a job does not end although it was told to');
        return;
      case 'lost':
        throw new TandemError('CLOSED', 'a job was taken away from this process');
    }
  }

  async #fail({
    bullmq,
    client,
    token,
    job,
    error,
  }: Pick<OpenKind, 'bullmq' | 'client' | 'token'> & { job: Job; error: unknown }): Promise<void> {
    // A foreign error, such as a client's own about a lost connection, may pass; one of ours says so.
    const isFinal = error instanceof TandemError && !passesByItself(error);
    const line = errorLine(error);
    const shown = isFinal ? new bullmq.UnrecoverableError(line) : new Error(line);
    shown.stack = '';
    await answerOf(client, job.moveToFailed(shown, token, false));
    const again = !isFinal && job.attemptsMade < (job.opts.attempts ?? 1);
    const fields = { kind: this.name, job: job.id, attempt: job.attemptsMade, err: error };
    if (again) this.#log.warn(fields, 'a job has failed and is tried again');
    else this.#log.error(fields, 'a job has failed');
  }
}
