/** Where the changes of the local server come from. */

import type { TandemError } from '../errors.js';
import type { Position } from '../protocol/position.js';
import type { CaptureCounts } from './capture-options.js';

/** Done around each piece of a source that is read. */
export interface Reading {
  /** A piece has come, and nothing of it is handed on yet. */
  begins(): void;
  /** All of the piece is handed on, but for what is gathered. */
  ends(): void;
}

/**
 * Reads what a server's applications change, and hands it on in its order: changes to a `ChangeSink`, what else went by to
 * `LocalWriteNotes` and `InternalEvents`. `test/redis/source-conformance.ts` holds each implementation to what the stages rely on:
 *
 * - Each change is handed on once. A transaction is one change.
 * - From the same position come the same changes with the same sequences.
 * - A barrier is heard behind all that was written before it.
 * - What Tandem writes for itself is no change. An applied transaction is none, and moves {@link seen} at its place.
 */
export interface ChangeSource {
  readonly counts: Readonly<CaptureCounts>;
  /** Where the source has been read to. It stands between changes. */
  readonly position: Position;
  /** The peer's changes up to here stand before {@link position}. */
  readonly seen: { readonly epoch: number; readonly sequence: number };
  /** Sequence of the next change. */
  readonly nextSequence: number;
  /** Changes that are read and not handed on. */
  readonly gathered: number;
  /** Hands on what is gathered, as a batch. */
  cut(): void;
  /** Reads until the source ends, and then throws why. */
  run(reading: Reading): Promise<void>;
  /** Stops reading. Changes made meanwhile wait at the server. */
  pause(): void;
  resume(): void;
  /** Ends {@link run}, which throws `reason`. */
  close(reason?: TandemError): void;
}
