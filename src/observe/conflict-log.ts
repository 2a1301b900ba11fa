import type { Logger } from '../log/log.js';

/** What the log tells of a conflict: nothing of a user's data. */
export interface LoggedConflict {
  /** Name of the incoming command. */
  readonly command: string;
  readonly outcome: string;
  readonly database: number;
}

const INTERVAL_MS = 1000;

/**
 * Logs conflicts at `info`, one line in an interval at the most. The first is logged at once; of those that come within the
 * interval the last one is logged at its end, with how many were not. So each is either shown or counted in a line.
 */
export class ConflictLog {
  readonly #log: Logger;
  readonly #intervalMs: number;
  #timer: NodeJS.Timeout | undefined;
  #waiting: LoggedConflict | undefined;
  #notShown = 0;

  constructor(log: Logger, { intervalMs = INTERVAL_MS }: { intervalMs?: number } = {}) {
    this.#log = log;
    this.#intervalMs = intervalMs;
  }

  met(conflict: LoggedConflict): void {
    if (this.#timer === undefined) {
      this.#write(conflict);
      return;
    }
    if (this.#waiting !== undefined) this.#notShown++;
    this.#waiting = conflict;
  }

  /** Logs what waits, and lets go of the timer: there will be no more. */
  close(): void {
    if (this.#waiting !== undefined) this.#write(this.#waiting);
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #write({ command, outcome, database }: LoggedConflict): void {
    this.#log.info({ command, outcome, database, notShown: this.#notShown }, 'concurrent writes were met');
    this.#waiting = undefined;
    this.#notShown = 0;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#intervalIsOver(), this.#intervalMs).unref();
  }

  #intervalIsOver(): void {
    this.#timer = undefined;
    if (this.#waiting !== undefined) this.#write(this.#waiting);
  }
}
