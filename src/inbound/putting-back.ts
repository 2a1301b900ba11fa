/**
 * Puts local `SET`s back that an earlier one of the peer's took the place of, in a transaction of its own between those of batches. Nothing
 * else is on the way meanwhile. What slips in is found as with any other transaction, by its marker.
 */

import type { PutBack } from '../conflicts/put-back.js';
import type { OverwrittenSet, OverwrittenSets } from '../local-writes/overwritten-sets.js';
import type { HybridClock } from '../protocol/clock.js';
import type { Logger } from '../log/log.js';
import type { KeyNames } from '../redis/keys.js';
import type { RawConnection } from '../redis/raw-connection.js';
import type { Looks } from './looks.js';
import { outcomeOf, sendTransaction, type Outcome } from './transaction.js';

export interface PuttingBackOptions {
  readonly connection: RawConnection;
  readonly keys: KeyNames;
  readonly token: number;
  readonly overwritten: OverwrittenSets;
  readonly looks: Pick<Looks, 'at'>;
  readonly planner: {
    putBack(sets: readonly OverwrittenSet[], timestamp: number, signal: AbortSignal): Promise<PutBack>;
  };
  readonly clock: HybridClock;
  readonly log: Logger;
}

export class PuttingBack {
  readonly #options: PuttingBackOptions;

  constructor(options: PuttingBackOptions) {
    this.#options = options;
  }

  /** Whether anything is to be put back. */
  get isDue(): boolean {
    return !this.#options.overwritten.isEmpty;
  }

  /** Whether no further batch is to go before. */
  get isOverdue(): boolean {
    return this.#options.overwritten.isOverdue;
  }

  /**
   * One transaction. To be called with nothing on the way. Nothing is done where nothing is due any more when capture knows all that was
   * written before.
   * @param applied the peer's newest change that is applied
   * @throws TandemError when the connection is lost
   */
  async once(
    applied: { readonly epoch: number; readonly sequence: number },
    signal: AbortSignal,
  ): Promise<Outcome | undefined> {
    const { connection, keys, token, overwritten, looks, planner, clock, log } = this.#options;
    await looks.at([], signal);
    if (!this.isDue) return undefined;
    const { sets, plan } = await planner.putBack(overwritten.all(), clock.tick(), signal);
    overwritten.returning(applied.sequence, plan.decided);
    const batch = { epoch: applied.epoch, first: applied.sequence, changes: 1 };
    const run = sendTransaction(connection, {
      keys,
      token,
      batch,
      decision: plan,
      expected: applied,
      clock: clock.last,
    });
    const outcome = await outcomeOf(run);
    // That they are settled capture finds, at the place in the stream where it is so.
    if (outcome.kind === 'applied')
      log.debug({ keys: sets.length }, 'local values that slipped in before a change was applied: put back');
    // The server takes the command no more, which it took from a client.
    if (outcome.kind === 'failed' || outcome.kind === 'unqueueable') overwritten.doubt(sets);
    return outcome;
  }
}
