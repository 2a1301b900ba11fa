/**
 * `TANDEM.EXPIRED database key deadline field…`: the life of a key has ended at its deadline, in ms since 1970, or that of these fields
 * of it. A server says `DEL` or `HDEL` then, as if a client had removed them.
 */

import { encodeCommand } from '../../redis-commands/encode-command.js';
import type { PlacedKey } from '../../redis-commands/placed-key.js';
import { firstKey, isNumber, noNumber, wrongCount, type MessageKind } from './message-kind.js';

export const EXPIRED = 'TANDEM.EXPIRED';

const BEFORE_FIELDS = 4;

/** @param deadline ms since 1970 @param fields none for the key as a whole */
export function encodeExpired(
  { database, key }: PlacedKey,
  deadline: number,
  fields: readonly Buffer[] = [],
): Buffer {
  return encodeCommand([EXPIRED, database, key, deadline, ...fields]);
}

/** @param args well-formed, the name first */
export function expiredAt(args: readonly Buffer[]): number {
  return Number(args[3]!.toString('latin1'));
}

/** The fields whose lives have ended; none for the key as a whole. @param args well-formed, the name first */
export function expiredFields(args: readonly Buffer[]): readonly Buffer[] {
  return args.slice(BEFORE_FIELDS);
}

export const EXPIRED_MESSAGE: MessageKind = {
  name: EXPIRED,
  group: 'keys',
  fault: (args) => {
    if (args.length < BEFORE_FIELDS) return wrongCount(args);
    return isNumber(args[1]) && isNumber(args[3]) ? undefined : noNumber(args);
  },
  keys: firstKey,
  effect: (args) => (args.length > BEFORE_FIELDS ? 'field-expired' : 'expired'),
};
