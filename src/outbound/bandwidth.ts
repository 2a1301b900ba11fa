import type { Logger } from '../log/log.js';
import { BURST_MS, Pace } from '../async/pace.js';
import { connectionOf, type Redis } from '../redis/connect.js';

/** For so long after the bound has last held something back it counts as what holds changes back. */
const RECENT_MS = 1000;
/** How often the log says so. */
const TELL_MS = 60_000;

export interface BandwidthOptions {
  /** The client at the peer's server, whose bytes are counted. */
  readonly client: Redis;
  /** 0: no bound. */
  readonly bytesPerSecond: number;
  readonly log: Logger;
  /** In milliseconds, never back. */
  readonly now?: () => number;
}

/**
 * Holds what goes to the peer's server to so many bytes a second. All that is written to the connection counts, whoever writes it. Batches
 * and heartbeats wait; what is small and rare does not, and what follows waits for it. In any time no more is sent than the bound allows
 * in it and in 50 ms more, and one batch.
 */
export class Bandwidth {
  readonly #options: BandwidthOptions;
  readonly #now: () => number;
  readonly #pace: Pace;
  #connection: object | undefined;
  /** Bytes of the connection that are paid for. */
  #counted = 0;
  #heldAt = -Infinity;
  #since = -Infinity;
  #toldAt = -Infinity;

  constructor(options: BandwidthOptions) {
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
    this.#pace = new Pace({ keys: 0, bytes: options.bytesPerSecond }, this.#now);
  }

  /** Bytes that are worth having at hand to be sent. */
  get atOnceBytes(): number {
    const { bytesPerSecond } = this.#options;
    return bytesPerSecond === 0 ? Infinity : (bytesPerSecond * BURST_MS) / 1000;
  }

  /** How long what waits must wait, in ms; 0: it may be sent. */
  get waitMs(): number {
    if (this.#options.bytesPerSecond === 0) return 0;
    this.#count();
    return this.#pace.waitMs;
  }

  /** Something waits because of the bound. */
  held(): void {
    const { bytesPerSecond, log } = this.#options;
    const now = this.#now();
    if (!this.isHolding) this.#since = now;
    this.#heldAt = now;
    if (now - this.#since < RECENT_MS || now - this.#toldAt < TELL_MS) return;
    this.#toldAt = now;
    log.info({ wanBytesPerSecond: bytesPerSecond }, 'the bound of the bandwidth holds changes back');
  }

  /** Whether the bound is what holds changes back, now or a moment ago. */
  get isHolding(): boolean {
    return this.#now() - this.#heldAt < RECENT_MS;
  }

  #count(): void {
    const connection = connectionOf(this.#options.client) as { readonly bytesWritten: number } | undefined;
    if (connection !== this.#connection) this.#counted = 0;
    this.#connection = connection;
    if (!connection) return;
    // They include the bytes in the socket's own buffer.
    const { bytesWritten } = connection;
    this.#pace.spend({ keys: 0, bytes: bytesWritten - this.#counted });
    this.#counted = bytesWritten;
  }
}
