/**
 * `TANDEM.NEED timestamp lack (database key)…`: asks for the `STATE` of these keys, ranked with this timestamp. `lack` is what the
 * asker's own value lacks, 0 when it only doubts an order; 4 more when the keys are contended there, so that no answer could be applied; 8 more
 * when the asker does not take the sender's dumps, and wants the elements; 16 times what the receiver's value lacks, by its own request.
 */

import { encodeCommand } from '../../redis-commands/encode-command.js';
import type { PlacedKey } from '../../redis-commands/placed-key.js';
import { isNumber, keysFrom, noNumber, wrongCount, type MessageKind } from './message-kind.js';

export const NEED = 'TANDEM.NEED';

/** Added to the lack when the keys are contended, and when elements are wanted. */
const CONTENDED = 4;
const AS_ELEMENTS = 8;
const THEIR_LACK = 16;
/** Arguments before the keys. */
const BEFORE_KEYS = 3;

/** What the value of a key may lack: removals of the peer's, writes of the peer's, or local writes. A higher number is worse. */
export const LACK = { nothing: 0, peerRemovals: 1, peerWrites: 2, localWrites: 3 } as const;
export type Lack = (typeof LACK)[keyof typeof LACK];

/** A request for the state of keys. */
export interface Need {
  readonly timestamp: number;
  /** The lack of the asker's value. */
  readonly lack: Lack;
  /** Whether the keys are written so fast at the asker that an answer could not be applied: it is asked back instead. */
  readonly isContended?: boolean;
  /** Whether the values are to come as their elements. */
  readonly asElements?: boolean;
  /** The lack of the values of the site that is asked, by its own request that this one meets. That site may have begun again since. */
  readonly theirLack?: Lack;
  readonly keys: readonly PlacedKey[];
}

export function encodeNeed({
  timestamp,
  lack,
  isContended,
  asElements,
  theirLack = LACK.nothing,
  keys,
}: Need): Buffer {
  const places = keys.flatMap(({ database, key }) => [database, key]);
  const form = (isContended === true ? CONTENDED : 0) + (asElements === true ? AS_ELEMENTS : 0);
  return encodeCommand([NEED, timestamp, lack + form + theirLack * THEIR_LACK, ...places]);
}

/** @param args well-formed, the name first */
export function parseNeed(args: readonly Buffer[]): Need {
  const flags = Number(args[2]!.toString('latin1'));
  return {
    timestamp: Number(args[1]!.toString('latin1')),
    lack: (flags % CONTENDED) as Lack,
    isContended: (flags & CONTENDED) !== 0,
    asElements: (flags & AS_ELEMENTS) !== 0,
    theirLack: (Math.floor(flags / THEIR_LACK) % CONTENDED) as Lack,
    keys: keysFrom(args, BEFORE_KEYS),
  };
}

export const NEED_MESSAGE: MessageKind = {
  name: NEED,
  group: 'keys',
  fault: (args) => {
    if (args.length < BEFORE_KEYS + 2 || (args.length - BEFORE_KEYS) % 2 !== 0) return wrongCount(args);
    const areSound = args.every((one, at) => at === 0 || (at > 2 && at % 2 === 0) || isNumber(one));
    return areSound ? undefined : noNumber(args);
  },
  keys: (args) => keysFrom(args, BEFORE_KEYS),
  effect: () => 'need',
};
