/**
 * What becomes of the peer's changes here. Nearly always nothing but their application as they are: a batch none of whose
 * keys was written here without the peer knowing goes through untouched. The others are held, command by command, against
 * the own changes on their keys that their sender had not seen.
 */

import { lastSequence, type DeliveredBatch } from '../change/batch.js';
import { CommandNames } from '../change/command-names.js';
import { effectOf, type Effect } from '../change/commands.js';
import { effectOfCode } from '../change/effect-code.js';
import { KeyHash } from '../change/key-hash.js';
import type { PlacedError } from '../redis/reply-reader.js';
import { forEachKey, keysOf, payloadCommands, type PayloadCommand } from './payload.js';
import type { Window } from './window.js';

/** What is to be sent for a batch. */
export interface Decision {
  /** RESP bytes of the commands. */
  readonly payload: readonly Buffer[];
  /** How many commands those are. */
  readonly commands: number;
  /** The last local sequence that was taken into account. */
  readonly decided: number;
}

/** What the decider needs from the other stages. */
export interface DeciderOptions {
  readonly site: string;
  readonly window: Window;
  /** Sequence of the last local change capture has met. */
  readonly capturedThrough: () => number;
  /** Waits until the local changes up to a sequence are in the change list: then their timestamps are final. */
  readonly appended: (sequence: number, signal: AbortSignal) => Promise<void>;
  /** Timestamp of a local change that is in the change list; undefined when it is there no more. */
  readonly timestampOf: (sequence: number) => number | undefined;
  /** What runs here in place of a command on whole databases; nothing for any other command. */
  readonly translate: (command: PayloadCommand) => Buffer | undefined;
  /** A batch was decided and is about to be applied. */
  readonly onDecided: (batch: DeliveredBatch) => void;
  /** A change met one its sender had not seen. */
  readonly onConflict: (conflict: Conflict) => void;
}

/** A change that met one its sender had not seen. */
export interface Conflict {
  readonly command: string;
  readonly effect: Effect;
  readonly outcome: 'applied' | 'kept-own';
  readonly database: number;
  readonly key: Buffer;
  readonly theirTimestamp: number;
  readonly ownTimestamp: number | undefined;
}

export class Decider {
  readonly #options: DeciderOptions;
  readonly #names = new CommandNames();
  readonly #hash = new KeyHash();
  /** Commands the server refused to queue, by the batch's last sequence. */
  readonly #leftOut = new Map<number, ReadonlySet<number>>();

  constructor(options: DeciderOptions) {
    this.#options = options;
  }

  /** What is to be sent for this batch, given what has been written here up to now. */
  async decide(batch: DeliveredBatch, signal: AbortSignal): Promise<Decision> {
    const { window, capturedThrough, appended, onDecided } = this.#options;
    onDecided(batch);
    window.advance(batch.seen);
    const leftOut = this.#leftOut.get(lastSequence(batch));
    let decided = capturedThrough();
    let unseen = this.#newestUnseen(batch);
    if (unseen === 0 && leftOut === undefined && batch.special === 0)
      return { payload: [batch.payload], commands: batch.commands, decided };
    if (unseen > 0) {
      await appended(unseen, signal);
      // More may have been written meanwhile; what is decided rests on all of it that is final.
      decided = capturedThrough();
      unseen = this.#newestUnseen(batch);
      await appended(unseen, signal);
    }
    return this.#resolve(batch, leftOut ?? new Set(), decided);
  }

  /** The server would not queue these commands: they are left out when the batch is decided again. */
  leaveOut(batch: DeliveredBatch, errors: readonly PlacedError[]): void {
    const last = lastSequence(batch);
    const before = this.#leftOut.get(last) ?? new Set<number>();
    this.#leftOut.set(last, new Set([...before, ...errors.map(({ index }) => index)]));
  }

  /** The highest unseen own sequence on any key of the batch; 0 when there is none. */
  #newestUnseen(batch: DeliveredBatch): number {
    const { window } = this.#options;
    if (window.firstAbove(batch.seen) === window.head) return 0;
    let newest = 0;
    forEachKey({
      batch,
      names: this.#names,
      each: (hash) => (newest = Math.max(newest, this.#unseenOn(hash, batch.seen))),
    });
    return newest;
  }

  /** The newest own sequence above `seen` on a key; 0 when there is none. */
  #unseenOn(hash: KeyHash, seen: number): number {
    const { window } = this.#options;
    const entry = window.newest(hash.low, hash.high);
    if (entry < 0) return 0;
    const sequence = window.sequenceOf(entry);
    return sequence > seen ? sequence : 0;
  }

  #newestOn(command: PayloadCommand, seen: number): number {
    let newest = 0;
    for (const { database, key } of keysOf(command, 'all')) {
      this.#hash.of(database, key, 0, key.length);
      newest = Math.max(newest, this.#unseenOn(this.#hash, seen));
    }
    return newest;
  }

  #resolve(batch: DeliveredBatch, leftOut: ReadonlySet<number>, decided: number): Decision {
    const payload: Buffer[] = [];
    for (const command of payloadCommands(batch.payload)) {
      if (leftOut.has(command.index)) continue;
      const instead = this.#options.translate(command);
      if (instead) {
        payload.push(instead);
        continue;
      }
      const unseen = command.spec === undefined ? 0 : this.#newestOn(command, batch.seen);
      if (unseen > 0 && !this.#winsOver(command, batch, unseen)) continue;
      payload.push(command.bytes);
    }
    return { payload, commands: payload.length, decided };
  }

  /**
   * Of two overwrites of a whole key the later one stays, on both sides; ties go to the smaller site name. Every other pair is
   * applied as it comes.
   */
  #winsOver(command: PayloadCommand, batch: DeliveredBatch, unseen: number): boolean {
    const { site, window, timestampOf, onConflict } = this.#options;
    const key = command.args[1]!;
    const effect = effectOf(command.spec!, command.args);
    const ownTimestamp = timestampOf(unseen);
    this.#hash.of(command.database, key, 0, key.length);
    const entry = window.newest(this.#hash.low, this.#hash.high);
    const bothOverwrite =
      effect === 'set' &&
      command.spec!.singleKey &&
      entry >= 0 &&
      effectOfCode(window.effectOf(entry)) === 'set';
    const ownIsLater =
      ownTimestamp !== undefined &&
      (ownTimestamp > batch.timestamp || (ownTimestamp === batch.timestamp && site < batch.origin));
    const outcome = bothOverwrite && ownIsLater ? 'kept-own' : 'applied';
    onConflict({
      command: command.name,
      effect,
      outcome,
      database: command.database,
      key,
      theirTimestamp: batch.timestamp,
      ownTimestamp,
    });
    return outcome === 'applied';
  }
}
