/**
 * When a batch that is not full is cut: some time after its first change. While changes come so fast that a batch cut that
 * early costs more than it brings, the time is longer: each batch is a script at this server, one at the peer, and a
 * transaction there, whatever it holds. And while the peer is far behind, waiting a little delays nothing: the fewer batches it
 * finds, the sooner it has caught up, above all where each of them meets many writes of its own.
 */

export interface BatchTimerOptions {
  /** How long a batch waits for more changes. */
  readonly delayMs: number;
  readonly capture: () => {
    /** Changes gathered and not yet cut. */
    readonly gathered: number;
    /** Sequence of the change after them. */
    readonly nextSequence: number;
    cut(): void;
  };
  /** How long the oldest change that the peer has not applied has waited, in ms. */
  readonly lagMs: () => number;
}

/** Changes a millisecond from which on a batch waits longer, and how much longer. */
const BUSY_PER_MS = 32;
const BUSY_FACTOR = 4;
/** From when on a peer is far behind, and how long a batch waits then. */
const FAR_BEHIND_MS = 1000;
const FAR_BEHIND_DELAY_MS = 50;

export class BatchTimer {
  readonly #options: BatchTimerOptions;
  #timer: NodeJS.Timeout | undefined;
  #delayMs: number;
  /** Sequence of the first change of the batch that the timer was set for. */
  #first = 0;

  constructor(options: BatchTimerOptions) {
    this.#options = options;
    this.#delayMs = options.delayMs;
  }

  /** Sets the timer, when there is something to cut and it is not set. */
  set(): void {
    if (this.#timer !== undefined) return;
    const { gathered, nextSequence } = this.#options.capture();
    if (gathered === 0) return;
    this.#first = nextSequence - gathered;
    const delayMs = this.#options.lagMs() > FAR_BEHIND_MS ? FAR_BEHIND_DELAY_MS : this.#delayMs;
    this.#timer = setTimeout(() => this.#ring(), delayMs);
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #ring(): void {
    this.#timer = undefined;
    const { delayMs } = this.#options;
    const capture = this.#options.capture();
    const { gathered, nextSequence } = capture;
    // The batch was cut for another reason: what is gathered now has just come.
    if (nextSequence - gathered !== this.#first) {
      this.set();
      return;
    }
    this.#delayMs = gathered < BUSY_PER_MS * this.#delayMs ? delayMs : delayMs * BUSY_FACTOR;
    capture.cut();
  }
}
