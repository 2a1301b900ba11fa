/** Which commands remove keys or fields, and how often a transaction does. */

import type { Batch } from './batch.js';
import { EXPIRED, expiredFields, isAbsence, STATE } from './messages/messages.js';
import { isDerived } from './command-kinds.js';
import { keysOf, nameOf, payloadCommands, type ExtraCommands } from './payload.js';

/** Whether a command in the stream removes whole keys, or fields, as an expiry does. */
export function isRemoval(name: string): boolean {
  return name === 'DEL' || name === 'UNLINK' || name === 'HDEL';
}

/** How often a transaction removes keys because the peer has: what is removed more often has expired. */
export function removalsOf(
  { batch, removed }: { readonly batch: Batch; readonly removed: ReadonlySet<string> },
  extra: ExtraCommands | undefined,
): Map<string, number> {
  const times = new Map([...removed].map((name) => [name, 1]));
  for (const command of payloadCommands(batch.payload, { extra })) {
    const isGone = command.name === STATE && isAbsence(command.args);
    // What it makes of other keys may be nothing, and of fields each may be removed by itself.
    const isOfFields = command.name === EXPIRED && expiredFields(command.args).length > 0;
    const isAny = isDerived(command) || command.name === 'HDEL' || isOfFields;
    if (isRemoval(command.name) || command.name === EXPIRED || isGone || isAny)
      for (const key of keysOf(command, 'written')) {
        const name = nameOf(key);
        times.set(name, isAny ? Infinity : (times.get(name) ?? 0) + 1);
      }
  }
  return times;
}
