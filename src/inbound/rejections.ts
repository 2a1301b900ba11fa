/**
 * The list of rejected changes: what the peer changed and this server would not do (`WRONGTYPE`, an unknown command …). A rejected change
 * does not stop the link. It stands in a capped stream with the error, for an operator to look at and to try again.
 */

import { counted } from '../counted.js';
import type { Redis } from 'ioredis';
import { lastSequence, type DeliveredBatch } from '../protocol/batch.js';
import { encodeCommand } from '../redis-commands/encode-command.js';
import type { PlacedKey } from '../redis-commands/placed-key.js';
import type { Logger } from '../log/log.js';
import { SparseLog } from '../log/sparse-log.js';
import { runScript } from '../lua/scripts.js';
import type { KeyNames } from '../redis/keys.js';
import type { LocalEntries } from '../local-writes/local-entries.js';
import type { BatchPlan } from '../conflicts/plan-batch.js';
import type { EpilogueCommand } from '../conflicts/epilogue.js';
import { STATE } from '../protocol/messages/state.js';
import { NEED } from '../protocol/messages/state-request.js';
import { keysOf, payloadCommands, type PayloadCommand } from '../protocol/payload.js';
import type { Failures } from './transaction.js';

/** Entries the stream of rejected changes keeps. */
const MAX_ENTRIES = 10_000;
/** Rejected commands of one batch that are listed one by one. */
const MAX_LISTED = 1000;
/** Longest command stored with its entry, in bytes; a longer one is listed without its arguments. */
const MAX_COMMAND_BYTES = 64 * 1024;

/** The name of a command of Tandem's own in the list. */
const NAMES: Record<EpilogueCommand['purpose'], string> = {
  state: STATE,
  request: NEED,
  conflict: 'CONFLICT',
  rejection: 'REJECTED',
};

export interface RejectionsOptions {
  readonly client: Redis;
  readonly keys: KeyNames;
  readonly token: number;
  readonly log: Logger;
  /** Knows whether this site has begun to add to a stream after a decision: then what was decided as if it had not is asked for anyway. */
  readonly entries: Pick<LocalEntries, 'isNewSince'>;
}

/** An entry came behind one with a higher ID. */
const OVERTAKEN = /^ERR The ID specified in XADD is equal or smaller/;

interface Warned {
  readonly command: string;
  readonly error: string;
  readonly database: number;
  readonly origin: string;
  readonly sequence: number;
}

export class Rejections {
  readonly #options: RejectionsOptions;
  readonly #warned: SparseLog<Warned>;
  #count = 0;

  constructor(options: RejectionsOptions) {
    this.#options = options;
    const { log } = options;
    this.#warned = new SparseLog((line) =>
      log.warn(
        { ...line, hint: '`tandem rejected` lists them, and tries them again.' },
        "a change of the peer's was rejected by this server",
      ),
    );
  }

  /** Nothing is applied any more: tells what it has not told yet. */
  close(): void {
    this.#warned.close();
  }

  /** Rejected commands since the process began. */
  get count(): number {
    return this.#count;
  }

  /** Whether one of the errors may be that of an entry which a local one has overtaken: {@link settle} must know of that one. */
  mayBeOvertaken({ commands }: Failures): boolean {
    return commands.some(({ error }) => OVERTAKEN.test(error.message));
  }

  /**
   * Ends a run some of whose commands failed: lists them and takes the batch out of the inbox. An entry that a local one has overtaken, the
   * first of this site's in the stream, comes with the state that the peer is asked for, and is not listed.
   */
  async settle(
    batch: DeliveredBatch,
    decision: BatchPlan,
    { commands: found, epilogue }: Failures,
  ): Promise<void> {
    const { log } = this.#options;
    // The peer's commands are listed, not what the rules made of them: those are what the sites differ by.
    const commands = [...payloadCommands(batch.payload)];
    const failures: (string | Buffer)[] = [];
    const placesOf = (index: number): number[] => [
      decision.origins?.[index] ?? index,
      ...(decision.gathered?.get(index) ?? []),
    ];
    const isOvertaken = ({ error, index }: Failures['commands'][number]): boolean => {
      const command = commands[placesOf(index)[0]!];
      if (command?.name !== 'XADD' || !OVERTAKEN.test(error.message)) return false;
      return this.#options.entries.isNewSince(placeOf(command), decision.decided);
    };
    const errors = found.filter((one) => !isOvertaken(one));
    for (const { index, error } of errors.slice(0, MAX_LISTED)) {
      for (const command of placesOf(index).flatMap((place) => commands[place] ?? [])) {
        const { database, key } = placeOf(command);
        failures.push(String(batch.first), String(database), shown(command), key, error.message);
        this.#warn(batch, command, error.code);
      }
    }
    for (const { index, error } of epilogue) {
      const { purpose, keys } = decision.epilogue[index]!;
      const { database, key } = keys[0] ?? NO_PLACE;
      failures.push(String(batch.first), String(database), NAMES[purpose], key, error.message);
      log.error(
        { purpose, error: error.message.slice(0, 120), keys: keys.length, sequence: batch.first },
        "a command of Tandem's own failed behind a change of the peer's",
      );
    }
    if (errors.length > MAX_LISTED)
      log.error(
        { rejected: errors.length, listed: MAX_LISTED },
        'more changes were rejected than are listed',
      );
    await this.#write(batch, failures);
    // Not before: a run that could not be listed is listed again as a whole.
    const rejected = errors.reduce((sum, { index }) => sum + placesOf(index).length, 0);
    this.#count += rejected + epilogue.length;
  }

  /** The command that lists one left out of a batch, for the batch's own transaction. */
  entry(batch: DeliveredBatch, command: PayloadCommand, error: string): Buffer {
    const { database, key } = placeOf(command);
    return encodeCommand([
      'XADD',
      this.#options.keys.rejected,
      'MAXLEN',
      '~',
      MAX_ENTRIES,
      '*',
      'sequence',
      batch.first,
      'database',
      database,
      'command',
      shown(command),
      'key',
      key,
      'error',
      error,
    ]);
  }

  /** A transaction is applied that has listed the commands left out of it. */
  leftOut(batch: DeliveredBatch, { rejected }: BatchPlan): void {
    this.#count += rejected.length;
    for (const { command, error } of rejected) this.#warn(batch, command, error.split(' ', 1)[0]!);
  }

  #warn(batch: DeliveredBatch, command: PayloadCommand, error: string): void {
    const { name, database } = command;
    const { origin, first: sequence } = batch;
    this.#warned.met({ command: name.slice(0, 64), error, database, origin, sequence });
  }

  /** A process died between the failure of a run and its listing: what failed is not known, so the whole batch is listed. */
  async settleUnknown(batch: DeliveredBatch): Promise<void> {
    this.#options.log.error(
      { origin: batch.origin, sequence: batch.first, changes: batch.changes },
      'some changes of a batch were rejected just before the process died: the whole batch is listed',
    );
    await this.#write(batch, [
      String(batch.first),
      '',
      'BATCH',
      '',
      `UNKNOWN some of ${counted(batch.changes, 'change')} failed`,
    ]);
    this.#count += 1;
  }

  async #write(batch: DeliveredBatch, failures: readonly (string | Buffer)[]): Promise<void> {
    const { client, keys, token } = this.#options;
    await runScript(
      client,
      'reject-commands',
      [keys.applied, keys.received, keys.inbox, keys.fence, keys.rejected, keys.site],
      [token, lastSequence(batch), batch.length, MAX_ENTRIES, ...failures],
    );
  }
}

/** Of a command of Tandem's own without a key. */
const NO_PLACE: PlacedKey = { database: 0, key: Buffer.alloc(0) };

/** The first key that a command writes; the first argument of an unknown command. */
function placeOf(command: PayloadCommand): PlacedKey {
  const { database, args, spec } = command;
  const key = keysOf(command, 'written')[0];
  if (key?.key !== undefined) return key;
  return { database, key: (spec === undefined ? args[1] : undefined) ?? NO_PLACE.key };
}

/** A command as it is listed: whole, or, when that is too long, its name. */
function shown({ bytes, name }: PayloadCommand): Buffer | string {
  return bytes.length <= MAX_COMMAND_BYTES ? bytes : name.slice(0, MAX_COMMAND_BYTES);
}
