import type { ChainableCommander, Redis } from 'ioredis';

/** What becomes of a job: it is done, it fails and is to be tried again, or its worker dies with it. */
export type Outcome = 'done' | 'failed' | 'lost';

export interface JobOptions {
  /** How long after it was added the job may be done. */
  readonly delayMs?: number;
}

/** The commands that a queue library sends, in its order and in its scripts and transactions, without the library. */
export interface Library {
  /** Adds a job. */
  add(redis: Redis, queue: string, index: number, options?: JobOptions): Promise<void>;
  /**
   * One turn of the only worker: what is due becomes ready, the next jobs are taken, and `perform` says what becomes of each.
   * Waits a moment for a job when there is none. `redis` is the worker's own, since that blocks it.
   */
  turn(redis: Redis, queue: string, perform: (index: number) => Outcome): Promise<void>;
  /** How many jobs are in each state. None may stay in one but `finished`. */
  counts(redis: Redis, queue: string): Promise<{ finished: number; [state: string]: number }>;
}

/** How long a worker waits for a job, in seconds: short, so that its turns end. */
export const WAIT_SECONDS = 0.05;

/** Runs a transaction. @returns the replies, or undefined when a watched key was written meanwhile; throws what a command says */
export async function transaction(
  redis: Redis,
  commands: (multi: ChainableCommander) => ChainableCommander,
): Promise<unknown[] | undefined> {
  const replies = await commands(redis.multi()).exec();
  for (const [error] of replies ?? []) if (error) throw error;
  return replies?.map(([, reply]) => reply);
}
