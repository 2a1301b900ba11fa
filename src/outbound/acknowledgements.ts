/**
 * How far the peer has applied this site's changes, and what follows: those batches leave the change list. The peer says so in
 * every batch, and in a heartbeat when it has no changes of its own.
 */

import { lastSequence, type Batch } from '../protocol/batch.js';
import { Signal } from '../async/signal.js';
import type { ChangeList } from './change-list.js';

export interface AcknowledgementsOptions {
  /** The peer's highest sequence that was applied here when this process began. */
  readonly applied: number;
  /** The newest local sequence that the peer was known to have applied then. */
  readonly seen?: number;
  readonly list: Pick<ChangeList, 'last' | 'trim'>;
  /** Lets go of the local writes that the peer has seen. */
  readonly window: { advance(seen: number): void };
}

/** A heartbeat says: after its changes up to `sequence`, the peer had applied this site's up to `seen`. */
export interface Heartbeat {
  readonly sequence: number;
  readonly seen: number;
}

/** How often the change list is trimmed at the most. */
const TRIM_MS = 50;

export class Acknowledgements {
  readonly #options: AcknowledgementsOptions;
  readonly #raised = new Signal();
  #applied: number;
  #seen = 0;
  #asked = 0;
  #askedCount = 0;
  #beat: Heartbeat | undefined;

  constructor(options: AcknowledgementsOptions) {
    this.#options = options;
    this.#applied = options.applied;
    this.#seen = options.seen ?? 0;
  }

  /** Highest local sequence the peer is known to have applied. */
  get seen(): number {
    return this.#seen;
  }

  /** The peer is asked for keys, by the local change with this sequence. */
  asked(sequence: number): void {
    this.#asked = sequence;
    this.#askedCount++;
  }

  /** Whether keys were asked for whose state has not come: what brings it says that the request was seen. */
  get isAsking(): boolean {
    return this.#asked > this.#seen;
  }

  /** Keys that were asked for since this process began. */
  get askedCount(): number {
    return this.#askedCount;
  }

  heartbeat(beat: Heartbeat): void {
    // The peer's account can write anything there.
    if (!Number.isSafeInteger(beat.sequence) || !Number.isSafeInteger(beat.seen)) return;
    this.#beat = beat;
    this.#useBeat();
  }

  /** A batch of the peer's has been applied. */
  applied(batch: Batch): void {
    this.#applied = lastSequence(batch);
    this.#advance(batch.seen);
    this.#useBeat();
  }

  /** Trims the change list until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const pause = new Signal();
    for (;;) {
      await this.#raised.wait(signal);
      await this.#options.list.trim(this.#seen);
      await pause.wait(signal, TRIM_MS);
    }
  }

  /** A heartbeat counts only when all the changes made before it are applied here: until then they may need what it would let go. */
  #useBeat(): void {
    const beat = this.#beat;
    if (!beat || this.#applied < beat.sequence) return;
    this.#beat = undefined;
    this.#advance(beat.seen);
  }

  #advance(seen: number): void {
    // The peer cannot have applied what was never made here.
    if (seen <= this.#seen || seen > this.#options.list.last) return;
    this.#seen = seen;
    this.#options.window.advance(seen);
    this.#raised.raise();
  }
}
