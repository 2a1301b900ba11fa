/**
 * When a batch that is not full is cut: some time after the batch before it, and at once if that has passed. So a change by itself does not
 * wait, and what comes close behind it goes together. While changes come so fast that a batch cut that
 * early costs more than it brings, the time is longer: each batch is a script at this server, one at the peer, and a
 * transaction there, whatever it holds. And while the peer is far behind, waiting a little delays nothing: the fewer batches it
 * finds, the sooner it has caught up, above all where each of them meets many writes of its own.
 */

export interface BatchTimerOptions {
  /** How long a batch waits for more changes, from when the one before it was cut. */
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
/**
 * From when on a peer is far behind, and how long a batch waits then: a share of the time that it is behind, for what a batch costs grows
 * with that where it is put among the newer entries of a stream.
 */
const FAR_BEHIND_MS = 1000;
const SHARE_OF_LAG = 0.1;
const MAX_DELAY_MS = 500;

/**
 * Where both sites add to a stream, each batch has the newest entries there taken off and added again, however few it brings. From so many
 * of these a second on a batch waits longer. (An `XSETID` shows each two or three times.)
 */
const SETS_A_SECOND = 30;
const INTERLEAVED_DELAY_MS = 30;

export class BatchTimer {
  readonly #options: BatchTimerOptions;
  #timer: NodeJS.Timeout | undefined;
  #delayMs: number;
  /** When a batch was cut here last. */
  #cutAt = -Infinity;
  /** Sequence of the first change of the batch that the timer was set for. */
  #first = 0;
  /** How often entries were put among others here, in this second and in the one before. */
  #interleavings = { now: 0, before: 0, since: 0 };

  constructor(options: BatchTimerOptions) {
    this.#options = options;
    this.#delayMs = options.delayMs;
  }

  /** Cuts what is gathered if its time has come, or sets the timer, when there is something to cut and it is not set. */
  set(): void {
    if (this.#timer !== undefined) return;
    const capture = this.#options.capture();
    const { gathered, nextSequence } = capture;
    if (gathered === 0) return;
    const waitMs = this.#nextWaitMs();
    this.#first = nextSequence - gathered;
    if (waitMs > 0) this.#timer = setTimeout(() => this.#ring(), waitMs);
    else this.#cut();
  }

  /** A command of the peer's has come round. @param name upper case */
  echoed(name: string): void {
    if (name !== 'XSETID') return;
    const passedMs = performance.now() - this.#interleavings.since;
    if (passedMs > 1000) {
      const before = passedMs > 2000 ? 0 : this.#interleavings.now;
      this.#interleavings = { now: 0, before, since: performance.now() };
    }
    this.#interleavings.now++;
  }

  #nextWaitMs(): number {
    const lagMs = this.#options.lagMs();
    const { now, before, since } = this.#interleavings;
    const isInterleaved = Math.max(now, before) >= SETS_A_SECOND && performance.now() - since < 2000;
    if (!isInterleaved && lagMs <= FAR_BEHIND_MS) return this.#cutAt + this.#delayMs - performance.now();
    const shareMs = Math.min(lagMs * SHARE_OF_LAG, MAX_DELAY_MS);
    return Math.max(this.#delayMs, shareMs, isInterleaved ? INTERLEAVED_DELAY_MS : 0);
  }

  /** The batch that holds a change is waited for. It is flushed if the change is still being gathered. */
  hurry(sequence: number): void {
    const capture = this.#options.capture();
    if (sequence >= capture.nextSequence - capture.gathered) this.#cut();
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
    this.#cut();
  }

  #cut(): void {
    this.#cutAt = performance.now();
    this.#options.capture().cut();
  }
}
