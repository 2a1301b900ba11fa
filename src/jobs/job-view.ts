/** What is told of jobs, and asked of them, by those who do not know how they lie in Redis. */

/** Jobs of all kinds by state. `delayed`: for their time, or for their next attempt. */
export interface JobCounts {
  waiting: number;
  delayed: number;
  active: number;
  failed: number;
  completed: number;
}

export const NO_JOBS: Readonly<JobCounts> = { waiting: 0, delayed: 0, active: 0, failed: 0, completed: 0 };

/** `delayed`: waits for its time, or for its next attempt. */
export type JobState = keyof JobCounts;

export interface AddOptions {
  /** Made up without one. */
  readonly id?: string;
  readonly attempts?: number;
  /** One of this id that has ended does not make room. */
  readonly once?: boolean;
}

/** One job as it is shown. Times in ms since 1970. */
export interface JobView {
  readonly id: string;
  readonly task: string;
  readonly state: JobState;
  readonly data: unknown;
  /** Null until the task has told any. */
  readonly progress: unknown;
  /** The result of the task; null before it has one. */
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
