import type { Logger } from '../log/log.js';
import type { JobProgress } from './task.js';

/** How often the log says how far a job is, whether or not it has come further. */
const TELL_MS = 30_000;

/** Tells the log of one attempt of a job how far it is, until it is closed: long work that stands still is to be seen too. */
export class ProgressLog {
  readonly #log: Logger;
  readonly #about: object;
  readonly #beganAt = performance.now();
  readonly #timer: NodeJS.Timeout;
  #first: JobProgress | undefined;
  #last: JobProgress | undefined;

  /** @param about what names the job */
  constructor(log: Logger, about: object, { tellMs = TELL_MS }: { tellMs?: number } = {}) {
    this.#log = log;
    this.#about = about;
    this.#timer = setInterval(() => this.#tell(), tellMs).unref();
  }

  /** How long the attempt has taken. */
  get lastedMs(): number {
    return Math.round(performance.now() - this.#beganAt);
  }

  note(progress: JobProgress): void {
    this.#last = progress;
    // A second round begins anew.
    if (this.#first === undefined || progress.done < this.#first.done) this.#first = progress;
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #tell(): void {
    const { done, total } = this.#last ?? { done: 0 };
    const { lastedMs } = this;
    this.#log.info(
      {
        ...this.#about,
        done,
        ...(total === undefined ? {} : { total, ...this.#left(done, total, lastedMs) }),
        lastedMs,
      },
      'a job is at work',
    );
  }

  /** As fast as this attempt was so far. */
  #left(done: number, total: number, lastedMs: number): { leftMs?: number } {
    const moved = done - (this.#first?.done ?? 0);
    return moved > 0 && total > done ? { leftMs: Math.round(((total - done) / moved) * lastedMs) } : {};
  }
}
