/** What a site at work is given by the one that starts it. */

import type { Redis } from 'ioredis';
import type { Conflict } from '../conflicts/resolved.js';
import type { PlacedKey } from '../redis-commands/placed-key.js';
import type { Gap } from '../protocol/gap.js';
import type { Claims } from '../sync/claims.js';
import type { Config } from '../config/config.js';
import type { Logger } from '../log/log.js';
import type { KeyNames } from '../redis/keys.js';
import type { Memory, OpenedState } from './history.js';

export interface PipelineOptions {
  readonly config: Config;
  readonly log: Logger;
  readonly keys: KeyNames;
  readonly local: Redis;
  readonly peer: Redis;
  readonly token: number;
  readonly opened: OpenedState;
  /** What the process remembers of its last session. */
  readonly memory: Memory;
  readonly onConflict: (conflict: Conflict) => void;
  readonly onSkipped: (reason: string, command: string) => void;
  /**
   * The histories were cut. `whose`: the site whose values count where the sites now differ. `isSame`: it is one with the last cut,
   * which was said.
   */
  readonly onGap: (whose: 'own' | 'peer', isSame?: boolean) => void;
  /** The peer works with a copy of this site's data. */
  readonly onAdopted: () => void;
  /** What must be done before the first change of the peer's is applied. */
  readonly prepare: (signal: AbortSignal) => Promise<void>;
  /** Whether this site had no such key when the sites first met. */
  readonly isNew: (key: PlacedKey) => boolean;
  readonly claims: Claims;
  /** The cut of this site's history that is not repaired. */
  readonly cut: () => Gap | undefined;
  /** Whether what this site held before the pair began has been sent to the peer. */
  readonly isCopied: () => boolean;
  /** The other site has told how it is. */
  readonly onTold: (text: string) => void;
  /** The peer has answered a question about its keys. */
  readonly onAnswer: (args: readonly Buffer[]) => void;
  /** Changes of the peer's, and answers among them, will never come. */
  readonly onMissed: () => void;
}
