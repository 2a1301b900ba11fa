/** Commands of batches on their way that the server would not queue. */

import { BoundedMap } from '../async/bounded-map.js';
import { lastSequence, type DeliveredBatch } from '../protocol/batch.js';
import type { PlacedError } from '../redis/reply-reader.js';
import type { CheckedBatch, BatchCheck } from '../protocol/check-batch.js';
import { messageKind } from '../protocol/messages/messages.js';
import { payloadCommands } from '../protocol/payload.js';

/** Batches whose refused commands are remembered: more than are ever on the way at a time. */
const MAX_LEFT_OUT = 64;

/** The server's words for a command it does not have: it will not have it in the next batch either. */
const UNKNOWN_COMMAND = /^ERR unknown (command|subcommand)/i;

export class LeftOut {
  readonly #inspector: BatchCheck;
  /** Places of the commands in their batch, with the server's words, by the batch's last sequence. */
  readonly #refused = new BoundedMap<number, ReadonlyMap<number, string>>(MAX_LEFT_OUT);

  constructor(inspector: BatchCheck) {
    this.#inspector = inspector;
  }

  /** Places of the commands of a batch that are left out, with the reason. */
  of(batch: DeliveredBatch, { leftOut }: CheckedBatch): ReadonlyMap<number, string> {
    const refused = this.#refused.get(lastSequence(batch));
    return refused === undefined ? leftOut : new Map([...leftOut, ...refused]);
  }

  /** @param origins places in the batch of what was sent, if others were left out before: an error's index counts what was sent */
  add(batch: DeliveredBatch, origins: readonly number[] | undefined, errors: readonly PlacedError[]): void {
    const last = lastSequence(batch);
    const leftOut = new Map(this.#refused.get(last));
    for (const { index, error } of errors) leftOut.set(origins?.[index] ?? index, error.message);
    this.#refused.set(last, leftOut);
    for (const { index, name } of payloadCommands(batch.payload)) {
      const error = leftOut.get(index);
      // What a message was made into says nothing of the next one.
      const isMessage = messageKind(name) !== undefined;
      if (error !== undefined && !isMessage && UNKNOWN_COMMAND.test(error))
        this.#inspector.refuse(name, error);
    }
  }
}
