import { encodeNeed, LACK } from '../protocol/messages/state-request.js';
import { encodeDeadline } from '../protocol/messages/key-deadline.js';
import type { HybridClock } from '../protocol/clock.js';
import type { Logger } from '../log/log.js';
import type { LateWrites } from './late-writes.js';

/** What the peer is asked for, and told, of the keys on which local writes slipped in before a transaction that has ended. */
export function lateRequest(
  late: LateWrites,
  sequence: number,
  { clock, log }: { readonly clock: HybridClock; readonly log: Logger },
): Buffer[] {
  const { lacking, disordered, deadlinesKept } = late.end(sequence);
  const told = deadlinesKept.map(encodeDeadline);
  if (lacking.length + disordered.length === 0) return told;
  log.debug(
    { keys: lacking.length + disordered.length },
    'local writes slipped in before a change was applied: asking for the state',
  );
  const timestamp = clock.tick();
  const needs = [
    { timestamp, lack: LACK.localWrites, keys: lacking },
    { timestamp, lack: LACK.nothing, keys: disordered },
  ];
  return [...needs.filter(({ keys }) => keys.length > 0).map(encodeNeed), ...told];
}
