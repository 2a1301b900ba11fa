/** What the planner of batches works with: settings of the site, and the parts of the site that it asks or tells. */

import type { Deadlines } from '../local-writes/deadlines.js';
import type { OverwrittenSets } from '../local-writes/overwritten-sets.js';
import type { LocalEntries } from '../local-writes/local-entries.js';
import type { Window } from '../local-writes/window.js';
import type { DeliveredBatch } from '../protocol/batch.js';
import type { BatchIndex } from '../protocol/batch-index.js';
import type { BatchCheck } from '../protocol/check-batch.js';
import type { KeyState } from '../protocol/messages/state.js';
import type { ExtraCommands, PayloadCommand } from '../protocol/payload.js';
import type { PlacedKey } from '../redis-commands/placed-key.js';
import type { EpilogueOptions } from './epilogue.js';
import type { Conflict, HowDecided } from './resolved.js';

/** The local changes that capture has read from the stream. */
export interface CapturedChanges {
  /** Sequence of the last one. */
  readonly capturedThrough: number;
}

/** The local changes that are in the change list. Their sequences and timestamps are final. */
export interface AppendedChanges {
  /** Sequence of the last one. */
  readonly appendedThrough: number;
  /** Resolves when the changes up to a sequence are in the list. */
  waitFor(sequence: number, signal: AbortSignal): Promise<void>;
  /** The batch that holds a change; undefined when it is not in the list any more. */
  fetch(sequence: number): Promise<Buffer | undefined>;
  /** When a change was made; undefined when it is not in the list any more. */
  timestampOf(sequence: number): number | undefined;
}

/** Puts what this server runs in the place of commands that it cannot run as they came, and knows what the site takes. */
export interface Translator {
  /** What runs in place of a command on whole databases, but for `kept` keys; undefined for any other command. */
  translate(command: PayloadCommand, kept?: readonly PlacedKey[]): Buffer | undefined;
  /** What runs for a message of long work, such as a question of a comparison; undefined where nothing does. */
  answer(command: PayloadCommand, batch: DeliveredBatch): Buffer | undefined;
  /** Whether this server takes the form that a state has a value in. A value that it does not take is asked for as its elements. */
  isTaken(state: KeyState): boolean;
  /** Whether the filters leave a key out. Only a change replaces the local value of such a key, and nothing of it is read for the peer. */
  isExcluded(key: PlacedKey): boolean;
}

/** Told what a plan came to, once the plan is applied. */
export interface PlanEvents {
  /** A change that met one its sender had not seen. */
  conflict(conflict: Conflict): void;
  /** An answer of the peer's, or a question about libraries. @param args well-formed, the name first */
  answered(args: readonly Buffer[]): void;
}

export interface BatchPlannerOptions extends EpilogueOptions {
  readonly peer: string;
  readonly window: Window;
  readonly entries: LocalEntries;
  /** Deadlines of this server's keys. */
  readonly deadlines: Deadlines;
  /** The peer's newest sequence that was applied here when the process began. */
  readonly appliedAtStart: number;
  /** The newest local sequence that places of lists were about by then; undefined: not known. */
  readonly notedAtStart: number | undefined;
  readonly captured: CapturedChanges;
  readonly appended: AppendedChanges;
  readonly translator: Translator;
  readonly inspector: BatchCheck;
  /** Rows for commands that only this server knows. */
  readonly extraCommands: ExtraCommands;
  /** Told of each batch that is decided and about to be applied. */
  readonly late: {
    decided(batch: DeliveredBatch, index: BatchIndex, how?: HowDecided): void;
    /** Local values that are to be put back before anything is planned on their keys. */
    readonly sets: { readonly overwritten: Pick<OverwrittenSets, 'isEmpty' | 'mayBeOn'> };
  };
  readonly events: PlanEvents;
}
