/** How long the log is silent about more of a kind after it has told of one. */
const INTERVAL_MS = 10_000;

/**
 * Tells of what may come thousands of times a second: the first at once, then one line in an interval at the most, the last one of
 * those that came, with how many were not shown. So each is either shown or counted in a line.
 */
export class SparseLog<T extends object> {
  readonly #tell: (line: T & { readonly notShown: number }) => void;
  readonly #intervalMs: number;
  #timer: NodeJS.Timeout | undefined;
  #waiting: T | undefined;
  #notShown = 0;

  constructor(
    tell: (line: T & { readonly notShown: number }) => void,
    { intervalMs = INTERVAL_MS }: { intervalMs?: number } = {},
  ) {
    this.#tell = tell;
    this.#intervalMs = intervalMs;
  }

  met(line: T): void {
    if (this.#timer === undefined) {
      this.#write(line);
      return;
    }
    if (this.#waiting !== undefined) this.#notShown++;
    this.#waiting = line;
  }

  /** Tells what waits, and lets go of the timer: there will be no more. */
  close(): void {
    if (this.#waiting !== undefined) this.#write(this.#waiting);
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #write(line: T): void {
    this.#tell({ ...line, notShown: this.#notShown });
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
