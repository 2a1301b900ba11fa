import { randomUUID } from 'node:crypto';
import type { Job, Worker } from 'bullmq';
import { runScript } from '../../lua/scripts.js';
import { backoffDelayMs } from '../../async/backoff.js';
import { answerOf, type Redis } from '../../redis/connect.js';
import type { JobProgress } from '../task.js';
import { CANCEL_FIELD, baseOptions, loadBullMq, lockOf, type BullMq, type QueueOptions } from './bullmq.js';

/** Pauses between the attempts of a job. */
const RETRY_MIN_MS = 1000;
const RETRY_MAX_MS = 60_000;
/** How long a lock lasts that nobody renews. It keeps out a process that has lost the lease, not other processes. */
const LOCK_MS = 30_000;
/** The field of a job in which its task keeps how far it is. */
const CHECKPOINT_FIELD = 'checkpoint';

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

  /** The checkpoint that its task saved last; null before that. */
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
