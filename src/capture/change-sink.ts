/** The receivers of what capture reads: changes for the peer, notes of local writes, and internal events, in the stream's order. */

import type { KnownName } from '../redis-commands/command-names.js';
import type { CommandReader } from '../redis-commands/command-reader.js';
import type { PlacedKey } from '../redis-commands/placed-key.js';
import type { RecordedEffect } from '../redis-commands/effect-code.js';
import type { Position } from '../protocol/position.js';
import type { SkipReason } from '../observe/skip-reason.js';
import type { KeyHash } from '../protocol/key-hash.js';
import type { WrittenKey } from '../local-writes/late-options.js';
import type { End } from './known-members.js';

/** A batch ready for the change list, with the position that is reached once it is there. */
export interface CapturedBatch {
  readonly bytes: Buffer;
  readonly first: number;
  readonly changes: number;
  readonly timestamp: number;
  readonly position: Position;
}

/** Takes the changes that go to the peer. */
export interface ChangeSink {
  batch(batch: CapturedBatch): void;
  /** A change is too large to be sent: the sites differ in what it wrote. */
  tooLarge(bytes: number): void;
  /** A command was left out. `reason` is constant and counted. */
  skipped(reason: SkipReason, command: string): void;
}

/** Takes note of local writes, which later changes of the peer may meet. */
export interface LocalWriteNotes {
  /** A local change wrote this key (hash of database and key), or made something of it without writing it (`isRead`). */
  write(low: number, high: number, sequence: number, effect: RecordedEffect, isRead?: boolean): void;
  /** A local change has emptied databases, and is sent. */
  flushed(sequence: number): void;
  /** A local command on a stream, or on members of a sorted set. `args` with the name first. */
  named(name: string, args: readonly Buffer[], database: number, sequence: number): void;
  /**
   * Members were popped from a sorted set, and which ones is not known: those at that end are to be told (`member-loader.ts`).
   * @param untold to be called when they will not be
   */
  popped(key: PlacedKey, end: End, untold: () => void): void;
}

/** Hears what the stream holds beside the application's changes. */
export interface InternalEvents {
  /** A batch was delivered into the inbox. Its bytes are written over afterwards: a listener copies what it keeps. */
  delivered(batch: Buffer): void;
  /** The peer told, without a batch, how far it has applied local changes. */
  heartbeat(fields: ReadonlyMap<string, string>): void;
  /** The other site has told how it is. */
  told(text: string): void;
  /** The inbox was emptied, and the peer is to deliver again. */
  rewound(id: string): void;
  /** The barrier with this text has come round. */
  barrier(text: string): void;
  /**
   * The peer's changes up to `sequence` have been applied, decided against the local writes up to `decided`. `kept`: further keys
   * they would have set, had this site not a later value.
   */
  applied(sequence: number, decided: number, kept: () => readonly PlacedKey[]): void;
  /** A command of the applied transaction. `name` in upper case. */
  echoed(reader: CommandReader, database: number, known: KnownName): void;
  /** The applied transaction has ended: commands of Tandem's own that must be sent at this place, as this sequence. */
  appliedEnd(sequence: number): readonly Buffer[];
  /**
   * A local change, or a state, is about to be sent that is on these keys, or on any. Commands of Tandem's own that must be sent before it,
   * as this sequence.
   */
  writing(keys: readonly WrittenKey[] | 'all', sequence: number): readonly Buffer[];
  /** Whether {@link writing} wants to be told: most of the time it does not. */
  readonly watchesWrites: boolean;
  /** Whether {@link writing} may want to be told of a change of the key with this hash alone. */
  mayWatch(hash: KeyHash): boolean;
  /** An answer to the peer is about to be sent: the bytes that are. @param args a well-formed `TANDEM.ANSWER` or `TANDEM.DIGESTED` */
  answering(args: readonly Buffer[]): Buffer;
  /** A mark is about to be sent: the bytes that are. @param args a well-formed `TANDEM.MARK` */
  marking(args: readonly Buffer[]): Buffer;
  /** Databases were emptied or swapped: internal keys may be gone or elsewhere. */
  keyspace(event: 'flush' | 'swap', databases: readonly number[]): void;
  /** The server asks how far the stream has been read. */
  askedForAcknowledgement(): void;
}
