/** The parts of a site that long work uses. */

import type { Redis } from 'ioredis';
import type { Found } from '../protocol/messages/finding.js';
import type { Filter } from '../config/filter.js';
import type { PlacedKey } from '../redis-commands/placed-key.js';
import type { Logger } from '../log/log.js';
import type { Exchange } from './exchange.js';
import type { LargeCopies } from './large-copies.js';

/** One attempt at a piece of long work, as the control plane gives it. */
export interface Attempt {
  readonly id: string;
  readonly data: unknown;
  /** The last attempt's checkpoint. */
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

/** Which site's value stays, and what is known of writes of the key: in ms since 1970, 0 where neither site knows of any. */
export interface Judgement {
  readonly stays: 'own' | 'peer';
  readonly ownWroteMs: number;
  readonly peerWroteMs: number;
}

/** The site the work is done at. */
export interface SyncSite {
  readonly site: string;
  readonly peer: string;
  /** A client of the local server, for this work alone. */
  readonly client: Redis;
  readonly exchange: Exchange;
  /** Sends large values. */
  readonly copies: Pick<LargeCopies, 'isRead' | 'send'>;
  /** Whether this site had no such key when the sites first met. */
  readonly isNewHere: (key: PlacedKey) => boolean;
  /** Whose value of a key stays behind a gap. */
  readonly judge: (one: Found) => Judgement;
  readonly filter: Filter;
  /** The prefix of Tandem's internal keys. */
  readonly internalPrefix: string;
  readonly databases: number;
  /** Whether function libraries are copied and compared. */
  readonly functions: boolean;
  /** Whether the change list is short enough for more. */
  readonly hasRoom: () => boolean;
  readonly pace: { take(amount: { keys: number; bytes: number }, signal: AbortSignal): Promise<void> };
  readonly log: Logger;
}
