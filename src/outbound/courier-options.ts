import type { Redis } from 'ioredis';
import type { Logger } from '../log/log.js';
import type { KeyNames } from '../redis/keys.js';
import type { ChangeList } from './change-list.js';
import type { PeerHistory } from './peer-history.js';

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
  /** What this site has applied of the peer's changes, standing before all that is captured later. */
  readonly seen: () => { epoch: number; sequence: number };
  /** Whether every captured change is in the change list, so that `seen` may be told without a batch. */
  readonly isSettled: () => boolean;
  readonly clock: () => number;
  /** Whether changes are to stay in the change list for now. */
  readonly isPaused: () => boolean;
  /** The sites must be compared: changes are missing at the peer, or here. */
  readonly onGap: (whose: 'own' | 'peer') => void;
  /** Offset up to which the stream is read with all of it in the change list; undefined when something is not. */
  readonly readThrough: () => number | undefined;
  /** How far the peer's changes were applied and received here. */
  readonly peerHistory: () => Promise<PeerHistory>;
  /** The peer's Redis was brought up from a copy of this one: nothing need be copied, and old questions are not answered. */
  readonly onAdopted: () => void;
}
