/**
 * A flush of the peer's is a `DEL` of every key that its sender had seen. Local writes that the sender had not seen are held against
 * that, key by key. No other key is left.
 */

import { LACK } from '../protocol/messages/state-request.js';
import type { Logger } from '../log/log.js';
import type { GapEvents } from '../protocol/gap.js';
import type { RawConnection } from '../redis/raw-connection.js';
import type { BatchPlanner } from '../conflicts/plan-batch.js';
import type { Transaction } from './transaction.js';

/**
 * After a flush of the peer's was applied: it took late writes with it here, and not at the peer. The peer is asked for their keys.
 *
 * @param look resolves when capture has met all that was written before
 */
export async function settleFlush(
  { batch, decision }: Transaction,
  {
    planner,
    connection,
    log,
    look,
    events,
    signal,
  }: {
    planner: BatchPlanner;
    log: Logger;
    connection: RawConnection;
    look: () => Promise<unknown>;
    events: Pick<GapEvents, 'gap'>;
    signal: AbortSignal;
  },
): Promise<void> {
  await look();
  const keys = await planner.writtenAfter(decision.decided, signal);
  if (keys === undefined || decision.flushes === 'blindly') {
    events.gap('peer');
    log.error(
      { sequence: batch.first },
      "a flush of the peer's met more writes of this site than are held against it: the sites must be compared",
    );
  }
  if (keys === undefined || keys.length === 0) return;
  const reply = connection.replies.value();
  connection.write([planner.askFor(batch, keys, LACK.localWrites)]);
  await reply;
}
