/** Resolves what Tandem itself says of entries of streams: that one is gone, or goes where it arrives. */

import type { DeliveredBatch } from '../protocol/batch.js';
import { encodeCommand } from '../redis-commands/encode-command.js';
import { parseArrival } from '../protocol/messages/arrival.js';
import { acknowledgement, GONE } from '../protocol/messages/gone.js';
import type { PlacedKey } from '../redis-commands/placed-key.js';
import { arrivingEntry, arrivingPiece, ArrivalTrims, cap } from './arrivals.js';
import type { KeyResolver } from './key-resolver.js';
import type { KnownKeys } from './known-keys.js';
import type { PlannedKeys } from './planned-keys.js';
import type { PayloadCommand } from '../protocol/payload.js';
import type { Sent } from './sent.js';

export interface StreamPlannerOptions {
  readonly known: KnownKeys;
  readonly runs: PlannedKeys;
  readonly sent: Sent;
  readonly resolver: KeyResolver;
}

export class StreamPlanner {
  readonly #batch: DeliveredBatch;
  readonly #known: KnownKeys;
  readonly #runs: PlannedKeys;
  readonly #sent: Sent;
  readonly #resolver: KeyResolver;
  readonly #trims = new ArrivalTrims();

  constructor(batch: DeliveredBatch, { known, runs, sent, resolver }: StreamPlannerOptions) {
    this.#batch = batch;
    this.#known = known;
    this.#runs = runs;
    this.#sent = sent;
    this.#resolver = resolver;
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
    for (const trim of trims) {
      const { key, command } = trim;
      if (key.database !== database) this.#sent.send(command, encodeCommand(['SELECT', key.database]));
      this.#sent.send(command, cap(trim, this.#known.unseenFrom(key)));
      if (key.database !== database) this.#sent.send(command, encodeCommand(['SELECT', database]));
    }
  }

  /** An entry delivered here was not there any more at the other site: it is pending no longer. */
  async #gone(command: PayloadCommand, key: PlacedKey): Promise<void> {
    if (this.#runs.isPlain(key) && this.#known.commutes(key, 'gone'))
      this.#sent.attempt(command, [acknowledgement(command.args)], [key]);
    else this.#resolver.meet(command, await this.#runs.on(key));
  }

  /** An entry goes behind the last one, whatever was added here meanwhile. */
  async #arrival(command: PayloadCommand, key: PlacedKey): Promise<void> {
    this.#capNow(this.#trims.add(command), key.database);
    const isFree =
      this.#runs.isPlain(key) && (this.#known.commutes(key, 'arrival') || this.#known.isUntouched(key));
    const run = isFree ? undefined : await this.#runs.on(key);
    if (!run || run.isPlain) {
      const add = arrivingEntry(key.key, parseArrival(command.args).fields, true);
      if (add) this.#sent.send(command, encodeCommand(add));
      return;
    }
    const piece = arrivingPiece(command, this.#batch);
    if (piece) this.#resolver.meet(command, run, [piece]);
  }
}
