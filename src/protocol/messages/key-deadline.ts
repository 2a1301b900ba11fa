/**
 * `TANDEM.DEADLINE database key`: the peer is to hear of the deadline that the key has when the applied transaction has ended. It never
 * leaves the site: a `PEXPIREAT` goes in its place.
 */

import { encodeCommand } from '../../redis-commands/encode-command.js';
import type { PlacedKey } from '../../redis-commands/placed-key.js';
import { firstKey, isNumber, wrongCount, type MessageKind } from './message-kind.js';

export const DEADLINE = 'TANDEM.DEADLINE';

export function encodeDeadline({ database, key }: PlacedKey): Buffer {
  return encodeCommand([DEADLINE, database, key]);
}

export const DEADLINE_MESSAGE: MessageKind = {
  name: DEADLINE,
  group: 'site',
  fault: (args) => (args.length === 3 && isNumber(args[1]) ? undefined : wrongCount(args)),
  keys: firstKey,
};
