/** Which commands remove keys or fields, and how often a transaction does. */

import { EXPIRED, expiredFields } from './messages/expired.js';
import { isAbsence, STATE } from './messages/state.js';
import { isDerived } from './command-kinds.js';
import { keysOf, nameOf, type PayloadCommand } from './payload.js';

/** Whether a command in the stream removes whole keys, or fields, as an expiry does. */
export function isRemoval(name: string): boolean {
  return name === 'DEL' || name === 'UNLINK' || name === 'HDEL';
}

/** Whether a command of a batch removes its key, or fields of it, where it is carried out. */
export function isKeyRemoval({ name, args }: PayloadCommand): boolean {
  return isRemoval(name) || name === EXPIRED || (name === STATE && isAbsence(args));
}

/**
 * How often a transaction removes keys because the peer has: what is removed more often has expired.
 * @param commands of the batch
 * @param removed by how much that is more than the batch says, by database and name of the key: less than 0 where it was left out
 */
export function removalsOf(
  commands: Iterable<PayloadCommand>,
  removed: ReadonlyMap<string, number>,
): Map<string, number> {
  const times = new Map(removed);
  for (const command of commands) {
    // A key made of others may come to nothing, and fields may be removed one by one.
    const isOfFields = command.name === EXPIRED && expiredFields(command.args).length > 0;
    const isAny = isDerived(command) || command.name === 'HDEL' || isOfFields;
    if (isKeyRemoval(command) || isAny)
      for (const key of keysOf(command, 'written')) {
        const name = nameOf(key);
        times.set(name, isAny ? Infinity : (times.get(name) ?? 0) + 1);
      }
  }
  return times;
}
