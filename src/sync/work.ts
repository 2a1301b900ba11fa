/** What long work at a site is given to do it with. */

import type { Redis } from 'ioredis';
import type { Filter } from '../change/filter.js';
import type { PlacedKey } from '../change/special.js';
import type { Logger } from '../log.js';
import type { Exchange } from './exchange.js';

/** One attempt at a piece of long work, as the control plane gives it. */
export interface Attempt {
  readonly id: string;
  readonly data: unknown;
  /** What the last attempt saved. */
  readonly checkpoint: unknown;
  readonly signal: AbortSignal;
  save(checkpoint: unknown): Promise<void>;
  progress(progress: Progress): Promise<void>;
}

export interface Progress {
  readonly done: number;
  readonly total?: number;
  readonly [more: string]: unknown;
}

/** The site the work is done at. */
export interface SyncSite {
  readonly site: string;
  readonly peer: string;
  /** A client of the local server, for this work alone. */
  readonly client: Redis;
  readonly exchange: Exchange;
  /** Whether this site had no such key when the sites first met. */
  readonly isNewHere: (key: PlacedKey) => boolean;
  readonly filter: Filter;
  /** What the names of Tandem's own keys start with. */
  readonly ownPrefix: string;
  readonly databases: number;
  /** Whether the change list is short enough for more. */
  readonly hasRoom: () => boolean;
  readonly pace: { take(amount: { keys: number; bytes: number }, signal: AbortSignal): Promise<void> };
  readonly log: Logger;
}
