/** What is known of the transaction that is coming round, and noted of it. */

import type { PlacedKey } from '../redis-commands/placed-key.js';

/** The transaction whose marker has come round, until its end does. */
export interface Echo extends Noted {
  /** Running number in the window of the first local write after the plan. */
  readonly from: number;
  /** Whether the window has let go of writes after the plan, so that any key may be late. */
  readonly isBlind: boolean;
  /** The last local sequence that the plan knew. */
  readonly decided: number;
}

/** What is noted of it, by database and name. Used again for each. */
export interface Noted {
  readonly found: Map<string, PlacedKey>;
  /** Lists in which a push of the batch went past a local write that slipped in at its end. */
  readonly passed: Set<string>;
  /** Those of the found keys whose value may lack something. In the others pushes stand in another order at most. */
  readonly lacking: Set<string>;
  /** Those of the found keys from which the peer may have taken the last, with the deadline that they have here. */
  readonly deadlinesKept: Map<string, PlacedKey>;
}

export function nothingNoted(): Noted {
  return { found: new Map(), passed: new Set(), lacking: new Set(), deadlinesKept: new Map() };
}
