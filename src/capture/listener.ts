import type { CommandReader } from '../change/command-reader.js';
import type { PlacedKey } from '../change/special.js';
import type { RecordedEffect } from '../change/effect-code.js';
import type { Position } from '../change/position.js';
import type { SkipReason } from './selection.js';

/** A batch ready for the change list, with the position that is reached once it is there. */
export interface CapturedBatch {
  readonly bytes: Buffer;
  readonly first: number;
  readonly changes: number;
  readonly timestamp: number;
  readonly position: Position;
}

/** What the other stages learn from the stream, in its order. */
export interface CaptureListener {
  batch(batch: CapturedBatch): void;
  /** A local change wrote this key (hash of database and key). */
  write(low: number, high: number, sequence: number, effect: RecordedEffect): void;
  /** A batch was delivered into the inbox. The bytes are the listener's. */
  delivered(batch: Buffer): void;
  /** The peer told, without a batch, how far it has applied local changes. */
  acknowledged(fields: ReadonlyMap<string, string>): void;
  /**
   * The peer's changes up to `sequence` have been applied, decided against the local writes up to `decided`. `kept`: further keys
   * they would have set, had this site not a later value.
   */
  applied(sequence: number, decided: number, kept: () => readonly PlacedKey[]): void;
  /** A command of the applied transaction. `name` in upper case. */
  echoed(reader: CommandReader, database: number, name: string): void;
  /** The applied transaction has ended: a command of Tandem's own that must be sent at this place, as this sequence, or nothing. */
  appliedEnd(sequence: number): Buffer | undefined;
  /** An answer to the peer is about to be sent: the bytes that are. @param args a well-formed `TANDEM.ANSWER` */
  answering(args: readonly Buffer[]): Buffer;
  /** The inbox was emptied, and the peer is to deliver again. */
  rewound(id: string): void;
  /** The barrier with this text has come round. */
  barrier(text: string): void;
  /** Something that calls for attention beyond replication: own keys may be gone or elsewhere. */
  keyspace(event: 'flush' | 'swap', databases: readonly number[]): void;
  /** The server wants to know how far the stream has been read, now. */
  askedForAcknowledgement(): void;
  /** A change is too large to be sent: the sites differ in what it wrote. */
  tooLarge(bytes: number): void;
  /** Something was left out. `reason` is constant and counted. */
  skipped(reason: SkipReason, command: string): void;
}
