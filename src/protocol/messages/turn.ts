/**
 * `TANDEM.TURN session number (database key)…`: asks the receiver to put the question with that number about its own values, which the
 * asking site then answers to itself: so a key is told that is written at the receiver alone, however fast.
 */

import { encodeCommand } from '../../redis-commands/encode-command.js';
import type { PlacedKey } from '../../redis-commands/placed-key.js';
import { isNumber, keysFrom, questionFault, type MessageKind } from './message-kind.js';

export const TURN = 'TANDEM.TURN';

const BEFORE_KEYS = 3;

export function encodeTurn({
  session,
  number,
  keys,
}: {
  session: string;
  number: number;
  keys: readonly PlacedKey[];
}): Buffer {
  return encodeCommand([TURN, session, number, ...keys.flatMap(({ database, key }) => [database, key])]);
}

export const TURN_MESSAGE: MessageKind = {
  name: TURN,
  group: 'comparison',
  fault: (args) => {
    const areSound =
      args.length > BEFORE_KEYS &&
      args.length % 2 === 1 &&
      args.every((one, at) => at < BEFORE_KEYS || at % 2 === 0 || isNumber(one));
    return questionFault(args) ?? (areSound ? undefined : `${TURN} says nothing of a key`);
  },
  keys: (args) => keysFrom(args, BEFORE_KEYS),
};
