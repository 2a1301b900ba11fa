/**
 * The list of rejected changes: what the peer changed and this server would not do (`WRONGTYPE`, an unknown command …). One of
 * them does not stop the link; it stands in a capped stream with the error, for somebody to look at and to try again.
 */

import type { Redis } from 'ioredis';
import { lastSequence, type DeliveredBatch } from '../change/batch.js';
import type { Logger } from '../log.js';
import { runScript } from '../lua/scripts.js';
import { answerOf } from '../redis/connect.js';
import type { KeyNames } from '../redis/keys.js';
import type { PlacedError } from '../redis/reply-reader.js';
import type { Decision } from './decider.js';
import { payloadCommands } from './payload.js';

/** Entries the stream of rejected changes keeps. */
const MAX_ENTRIES = 10_000;
/** Rejected commands of one batch that are listed one by one. */
const MAX_LISTED = 1000;
/** Longest command stored with its entry, in bytes; a longer one is listed without its arguments. */
const MAX_COMMAND_BYTES = 64 * 1024;

/** What the list says of each, as reject.lua writes it. */
const FIELDS = ['sequence', 'command', 'key', 'error'] as const;

export interface RejectionsOptions {
  readonly client: Redis;
  readonly keys: KeyNames;
  readonly token: number;
  readonly log: Logger;
}

export class Rejections {
  readonly #options: RejectionsOptions;
  #count = 0;

  constructor(options: RejectionsOptions) {
    this.#options = options;
  }

  /** Rejected commands since the process began. */
  get count(): number {
    return this.#count;
  }

  /** Ends a run some of whose commands failed: lists them and takes the batch out of the inbox. */
  async settle(batch: DeliveredBatch, decision: Decision, errors: readonly PlacedError[]): Promise<void> {
    await this.#write(batch, this.#failures(batch, decision, errors));
  }

  /**
   * Lists commands that this server does not even take into a transaction; the batch is to be applied without them. It is done
   * before that, so that none is left out unsaid: a process that dies in between makes them stand in the list twice.
   */
  async list(batch: DeliveredBatch, decision: Decision, errors: readonly PlacedError[]): Promise<void> {
    const { client, keys } = this.#options;
    const failures = this.#failures(batch, decision, errors);
    const transaction = client.multi();
    for (let at = 0; at < failures.length; at += FIELDS.length) {
      const fields = FIELDS.flatMap((name, i) => [name, failures[at + i]!]);
      transaction.xadd(keys.rejected, 'MAXLEN', '~', MAX_ENTRIES, '*', ...fields);
    }
    await answerOf(client, transaction.exec());
  }

  /** Logs and counts failures; gives what the list keeps of each, in the order of {@link FIELDS}. */
  #failures(batch: DeliveredBatch, decision: Decision, errors: readonly PlacedError[]): (string | Buffer)[] {
    const { log } = this.#options;
    const commands = [...payloadCommands(Buffer.concat(decision.payload))];
    const failures: (string | Buffer)[] = [];
    for (const { index, error } of errors.slice(0, MAX_LISTED)) {
      const command = commands[index];
      if (!command) continue;
      failures.push(
        String(batch.first),
        command.bytes.length <= MAX_COMMAND_BYTES ? command.bytes : command.name,
        command.args[1] ?? '',
        error.message,
      );
      log.warn(
        {
          command: command.name,
          error: error.code,
          database: command.database,
          origin: batch.origin,
          sequence: batch.first,
        },
        "a change of the peer's was rejected by this server",
      );
    }
    if (errors.length > MAX_LISTED)
      log.error(
        { rejected: errors.length, listed: MAX_LISTED },
        'more changes were rejected than are listed',
      );
    this.#count += errors.length;
    return failures;
  }

  /** A process died between the failure of a run and its listing: what failed is not known, so the whole batch is listed. */
  async settleUnknown(batch: DeliveredBatch): Promise<void> {
    this.#options.log.error(
      { origin: batch.origin, sequence: batch.first, changes: batch.changes },
      'some changes of a batch were rejected just before the process died: the whole batch is listed',
    );
    this.#count += 1;
    await this.#write(batch, [
      String(batch.first),
      'BATCH',
      '',
      `UNKNOWN some of ${batch.changes} changes failed`,
    ]);
  }

  async #write(batch: DeliveredBatch, failures: readonly (string | Buffer)[]): Promise<void> {
    const { client, keys, token } = this.#options;
    await runScript(
      client,
      'reject',
      [keys.applied, keys.received, keys.inbox, keys.fence, keys.rejected],
      [token, lastSequence(batch), batch.length, MAX_ENTRIES, ...failures],
    );
  }
}
