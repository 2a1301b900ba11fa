/** A site as the program that has started it sees it. */

import type { SiteStatus } from '../observe/status.js';

/**
 * `standby`: it does not work yet, or another process works for this site. `impeded`: it works, and something holds changes back.
 * `ready`: changes pass in both directions, and none are missing. `ended`: it is over.
 */
export type SiteState = 'standby' | 'impeded' | 'ready' | 'ended';

/** Concurrent writes that have met, and what came of them. */
export interface SiteConflict {
  /** Name of the incoming command. */
  readonly command: string;
  /** As in the list of conflicts: `own-stays`, `merged` … */
  readonly outcome: string;
  readonly database: number;
  readonly key: Buffer;
  /** Times of both writes, by the clocks of their sites. */
  readonly theirTime: Date;
  readonly ownTime: Date;
}

export interface SiteEvents {
  /** It is another one than before. With it comes why it is not ready, one reason each. */
  readonly state: readonly [state: SiteState, reasons: readonly string[]];
  /** A gap was found (`true`): changes are missing, and the sites are compared and repaired. Or there is none any more. */
  readonly gap: readonly [isOpen: boolean];
  readonly conflict: readonly [conflict: SiteConflict];
}

/** A line of the log: level, time, message, and other fields. No field holds a password, nor user data unless `logData` is set. */
export interface LogEntry {
  readonly level: string;
  readonly time: string;
  readonly msg: string;
  readonly [field: string]: unknown;
}

export interface Patience {
  /** Default: 30,000. */
  readonly timeoutMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface RunningSite {
  readonly state: SiteState;
  /** Resolves when it was stopped. Rejects with a TandemError when it has ended because of what a person must change. */
  readonly ended: Promise<void>;
  /** Listeners run after what they are told of, never within it. */
  on<E extends keyof SiteEvents>(event: E, listener: (...args: SiteEvents[E]) => void): this;
  off<E extends keyof SiteEvents>(event: E, listener: (...args: SiteEvents[E]) => void): this;
  /** As `tandem status --json` and `/status` have it. */
  status(): SiteStatus;
  /** Why it is not ready, one reason each; empty when it is. As `/readyz` has it. */
  reasons(): string[];
  /** In the text format of Prometheus. As `/metrics` has it. */
  metrics(): string;
  /** Resolves when it is ready. @throws TandemError TIMEOUT, CLOSED, or what has ended the site */
  untilReady(patience?: Patience): Promise<void>;
  /**
   * Resolves when all that was written at this site by now is applied at the other one; with `both` also when all of the other site
   * is applied here. As `tandem wait` does. @throws TandemError TIMEOUT, CLOSED, or what has ended the site
   */
  untilApplied(options?: Patience & { readonly both?: boolean | undefined }): Promise<void>;
  /** Ends it in order. Resolves when nothing of it is left: no connection, no timer. Never rejects. */
  stop(): Promise<void>;
}
