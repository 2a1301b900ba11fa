/** What a kind of long work is, for those who write one and for the control plane that runs it. */

/** How far a job is. Shown by `tandem jobs`; any JSON beside the two numbers. */
export interface JobProgress {
  readonly done: number;
  readonly total?: number;
  readonly [more: string]: unknown;
}

/** One piece of long work. Checkpoint and progress are JSON values. */
export interface JobContext {
  readonly id: string;
  readonly data: unknown;
  /** The checkpoint that the last attempt saved; null when none did. */
  readonly checkpoint: unknown;
  /** Aborts when the job is cancelled, the process stops, or its connection for jobs is lost: the task is to end soon. */
  readonly signal: AbortSignal;
  /** Kept in Redis: a later attempt begins from it. @throws TandemError CLOSED when the job is no longer this process's */
  readonly save: (checkpoint: unknown) => Promise<void>;
  readonly progress: (progress: JobProgress) => Promise<void>;
}

/**
 * One kind of work. What it returns, JSON, becomes the job's result. A failure is tried again with back-off unless it is a
 * TandemError that a person must mend. The same step may run twice: after a crash the job goes on from its checkpoint.
 */
export type Task = (context: JobContext) => Promise<unknown>;
