/**
 * `TANDEM.GONE database key group id`: an entry that the receiver has delivered was not there any more at the sender's site; it is
 * pending at neither.
 */

import { encodeCommand, type Argument } from '../../redis-commands/encode-command.js';
import type { PlacedKey } from '../../redis-commands/placed-key.js';
import { firstKey, isNumber, noNumber, wrongCount, type MessageKind } from './message-kind.js';

export const GONE = 'TANDEM.GONE';

export function encodeGone({ database, key }: PlacedKey, group: Argument, id: Argument): Buffer {
  return encodeCommand([GONE, database, key, group, id]);
}

/** The command that acknowledges the entry. @param args well-formed, the name first */
export function acknowledgement(args: readonly Buffer[]): readonly Buffer[] {
  return [Buffer.from('XACK'), args[2]!, ...args.slice(3)];
}

export const GONE_MESSAGE: MessageKind = {
  name: GONE,
  group: 'keys',
  fault: (args) => {
    if (args.length !== 5) return wrongCount(args);
    return isNumber(args[1]) ? undefined : noNumber(args);
  },
  keys: firstKey,
  effect: () => 'gone',
};
