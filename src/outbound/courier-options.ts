import type { Redis } from 'ioredis';
import type { GapEvents } from '../protocol/gap.js';
import type { HybridClock } from '../protocol/clock.js';
import type { Logger } from '../log/log.js';
import type { KeyNames } from '../redis/keys.js';
import type { ChangeList } from './change-list.js';
import type { PeerHistory } from './peer-history.js';

/** How far the local stream is read, and how much of that is in the change list. */
export interface ReadProgress {
  /** How far this site has applied the peer's changes: these stand before all that is captured later. */
  readonly seen: { readonly epoch: number; readonly sequence: number };
  /** Whether every captured change is in the change list, so that `seen` may be told without a batch. */
  readonly isSettled: boolean;
  /** Where the stream has been read to, with all of it in the change list; undefined while something is not. */
  readonly readThrough: { readonly offset: number } | undefined;
}

export interface CourierOptions {
  /** A client at the peer's Redis, not connected yet. */
  readonly client: Redis;
  readonly keys: KeyNames;
  readonly pair: string;
  readonly site: string;
  readonly peer: string;
  readonly epoch: number;
  /** Sequence of the next change when this process began. */
  readonly next: number;
  readonly list: ChangeList;
  readonly log: Logger;
  readonly heartbeatMs: number;
  readonly backoffMinMs: number;
  readonly backoffMaxMs: number;
  readonly clockSkewWarnMs: number;
  /** Bytes a second that are sent to the peer's server at the most; 0: no bound. */
  readonly wanBytesPerSecond: number;
  readonly progress: ReadProgress;
  readonly clock: Pick<HybridClock, 'last'>;
  /** Since when changes are to stay in the change list; undefined while they are not. */
  readonly pauses: { since(direction: 'outbound'): number | undefined };
  /** How far the peer's changes were applied and received here. */
  readonly peerHistory: () => Promise<PeerHistory>;
  readonly events: GapEvents;
}
