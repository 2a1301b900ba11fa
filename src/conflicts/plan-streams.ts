/** Resolves what Tandem itself says of entries of streams: that one is gone, or goes where it arrives. */

import type { DeliveredBatch } from '../protocol/batch.js';
import { encodeCommand, type Argument } from '../redis-commands/encode-command.js';
import { GONE, parseArrival } from '../protocol/messages/messages.js';
import type { PlacedKey } from '../redis-commands/placed-key.js';
import { arrivingEntry, arrivingPiece, ArrivalTrims, cap } from './arrivals.js';
import type { PlannedKey } from './planned-key.js';
import type { PayloadCommand } from '../protocol/payload.js';
import type { CommandPlannerOptions } from './plan-options.js';
import type { Piece } from '../pieces/piece.js';

/** What a resolver does for it. */
interface Means {
  /** What a batch has come to on a key, if anything was resolved there. */
  readonly runOf: (key: PlacedKey) => PlannedKey | undefined;
  readonly runOn: (key: PlacedKey) => Promise<PlannedKey>;
  readonly send: (command: PayloadCommand, bytes: Buffer) => void;
  readonly attempt: (
    command: PayloadCommand,
    commands: readonly (readonly Argument[])[],
    keys: readonly PlacedKey[],
  ) => void;
  readonly meet: (command: PayloadCommand, run: PlannedKey, pieces?: Piece[]) => void;
}

export class StreamPlanner {
  readonly #options: CommandPlannerOptions;
  readonly #batch: DeliveredBatch;
  readonly #means: Means;
  readonly #trims = new ArrivalTrims();

  constructor(options: CommandPlannerOptions, batch: DeliveredBatch, means: Means) {
    this.#options = options;
    this.#batch = batch;
    this.#means = means;
  }

  /** In the database of the key it speaks of. */
  async resolve(command: PayloadCommand, key: PlacedKey): Promise<void> {
    if (command.name === GONE) await this.#gone(command, key);
    else await this.#arrival(command, key);
  }

  /** Carries out the trims that have come until now. */
  cap(): void {
    for (const trim of this.#trims.take()) this.#capNow([trim], trim.command.database);
  }

  /** @param database that is selected before and behind it */
  #capNow(trims: ReturnType<ArrivalTrims['take']>, database: number): void {
    const { send } = this.#means;
    for (const trim of trims) {
      const { key, command } = trim;
      if (key.database !== database) send(command, encodeCommand(['SELECT', key.database]));
      send(command, cap(trim, this.#options.unseenFrom(key)));
      if (key.database !== database) send(command, encodeCommand(['SELECT', database]));
    }
  }

  /** An entry delivered here was not there any more at the other site: it is pending no longer. */
  async #gone(command: PayloadCommand, key: PlacedKey): Promise<void> {
    const { runOf, runOn, attempt, meet } = this.#means;
    if (runOf(key)?.isPlain !== false && this.#options.commutes(key, 'gone'))
      attempt(command, [['XACK', key.key, ...command.args.slice(3)]], [key]);
    else meet(command, await runOn(key));
  }

  /** An entry goes behind the last one, whatever was added here meanwhile. */
  async #arrival(command: PayloadCommand, key: PlacedKey): Promise<void> {
    const { runOf, runOn, send, meet } = this.#means;
    const { commutes, isUntouched } = this.#options;
    this.#capNow(this.#trims.add(command), key.database);
    const isFree = runOf(key)?.isPlain !== false && (commutes(key, 'arrival') || isUntouched(key));
    const run = isFree ? undefined : await runOn(key);
    if (!run || run.isPlain) {
      const add = arrivingEntry(key.key, parseArrival(command.args).fields, true);
      if (add) send(command, encodeCommand(add));
      return;
    }
    const piece = arrivingPiece(command, this.#batch);
    if (piece) meet(command, run, [piece]);
  }
}
