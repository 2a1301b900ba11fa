/** The parts of the site that a pipeline works with. */

import type { Redis } from 'ioredis';
import type { PlanEvents } from '../conflicts/plan-options.js';
import type { Config } from '../config/config.js';
import type { Logger } from '../log/log.js';
import type { Gap, GapEvents } from '../protocol/gap.js';
import type { KeyNames } from '../redis/keys.js';
import type { PlacedKey } from '../redis-commands/placed-key.js';
import type { Claims } from '../sync/claims.js';
import type { Memory, OpenedState } from './history.js';

/** Told what happens at a site at work. */
export interface PipelineEvents extends GapEvents, PlanEvents {
  /** A command was not sent. */
  skipped(reason: string, command: string): void;
  /** The other site has told how it is. */
  told(text: string): void;
  /** Changes of the peer's, and answers among them, will never come. */
  missed(): void;
}

export interface PipelineOptions {
  readonly config: Config;
  readonly log: Logger;
  readonly keys: KeyNames;
  readonly local: Redis;
  readonly peer: Redis;
  readonly token: number;
  readonly opened: OpenedState;
  /** The process's memory of its last session. */
  readonly memory: Memory;
  readonly events: PipelineEvents;
  readonly claims: Claims;
  readonly gaps: {
    /** The gap in this site's history that is not repaired. */
    readonly open: Gap | undefined;
    /** Whether what this site held before the pair began has been sent to the peer. */
    readonly isCopied: boolean;
  };
  readonly longWork: {
    /** Must be done before the first change of the peer's is applied. */
    prepare(opened: OpenedState, signal: AbortSignal): Promise<void>;
    /** Whether this site had no such key when the sites first met. */
    isNew(key: PlacedKey): boolean;
  };
}
