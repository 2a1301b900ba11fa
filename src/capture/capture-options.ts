/** What capture is given, and what it counts. */

import type { HybridClock } from '../protocol/clock.js';
import type { CommandSpec } from '../redis-commands/command-table.js';
import type { Deadlines } from '../local-writes/deadlines.js';
import type { Filter } from '../config/filter.js';
import type { Position } from '../protocol/position.js';
import type { KeyNames } from '../redis/keys.js';
import type { SealedBatch } from '../protocol/batch.js';
import type { ChangeSink, InternalEvents, LocalWriteNotes } from './change-sink.js';

export interface CaptureOptions {
  readonly pair: string;
  readonly site: string;
  readonly epoch: number;
  /** Sequence of the next change. */
  readonly nextSequence: number;
  readonly position: Position;
  readonly keys: KeyNames;
  readonly clock: HybridClock;
  readonly filter: Filter;
  readonly flush: 'ignore' | 'replicate';
  readonly publish: boolean;
  readonly functions: boolean;
  readonly batchBytes: number;
  readonly batchCommands: number;
  /** Bytes a change may have: with more it does not fit an element of the change list. */
  readonly maxChangeBytes: number;
  /** Rows for commands only the server at hand knows, by upper-case name. */
  readonly extraCommands: ReadonlyMap<string, CommandSpec>;
  /** Packs the payload of a batch, or leaves it. */
  readonly packer: { seal(payload: Buffer): Pick<SealedBatch, 'packing' | 'body'> };
  readonly sink: ChangeSink;
  readonly writes: LocalWriteNotes;
  readonly events: InternalEvents;
  /** Deadlines of this server's keys, which capture keeps up to date. */
  readonly deadlines: Deadlines;
  readonly now?: () => number;
}

/** Counters since the process began. */
export interface CaptureCounts {
  commands: number;
  echoes: number;
  unknown: number;
}
