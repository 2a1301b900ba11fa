/** What late writes are told of, and what comes of them. */

import type { ExtraCommands } from '../protocol/payload.js';
import type { PlacedKey } from '../redis-commands/placed-key.js';
import type { Deadlines } from './deadlines.js';
import type { LocalEntries } from './local-entries.js';
import type { OverwrittenSets } from './overwritten-sets.js';

/** A key of a local change, or of a message. */
export interface WrittenKey {
  readonly key: PlacedKey;
  /** Whether it replaces or removes whatever is there, asks the peer for it, or does, or says, anything that depends on it. */
  readonly does: 'replace' | 'ask' | 'other';
}

export interface LateWritesOptions {
  readonly entries: LocalEntries;
  readonly overwritten: OverwrittenSets;
  readonly extra?: ExtraCommands;
  /** What the names of the internal keys start with. */
  readonly internalPrefix: string;
  /** Whether the other site has the smaller name. */
  readonly isSenderFirst: boolean;
  /** The local write with this sequence stands elsewhere in a list than where it was made. */
  readonly onPassed: (name: string, sequence: number) => void;
  /** A local write was met wrongly. Until a state comes, the key may lack elements that no command took. */
  readonly onMisplaced: (name: string) => void;
  /** Deadlines of this server's keys. */
  readonly deadlines: Deadlines;
  /** Local writes on a key up to a sequence belong to a life that has ended at the peer. */
  readonly onLifeEnded: (name: string, through: number, fields: readonly Buffer[]) => void;
}

/** What the peer must be asked for. */
export interface LateKeys {
  /** Keys whose value here may lack something. */
  readonly lacking: readonly PlacedKey[];
  /** Keys in which pushes may stand in another order, and nothing else differs. */
  readonly disordered: readonly PlacedKey[];
  /** Keys among those that are asked for of which the peer is to be told the deadline, if they have one here. */
  readonly deadlinesKept: readonly PlacedKey[];
}
