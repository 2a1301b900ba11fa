/**
 * `TANDEM.DIGEST session number database key`: asks for the digest of the receiver's value, which is too large to be digested in one step of
 * a server. It is made in parts, and holds for the place of the answer (`digested.ts`): the key was not written from the first part on.
 */

import { encodeCommand } from '../../redis-commands/encode-command.js';
import type { PlacedKey } from '../../redis-commands/placed-key.js';
import { isNumber, placedKey, questionFault, text, type MessageKind } from './message-kind.js';

export const DIGEST = 'TANDEM.DIGEST';

export interface DigestQuestion extends PlacedKey {
  readonly session: string;
  readonly number: number;
}

export function encodeDigest({ session, number, database, key }: DigestQuestion): Buffer {
  return encodeCommand([DIGEST, session, number, database, key]);
}

/** @param args well-formed, the name first */
export function parseDigest(args: readonly Buffer[]): DigestQuestion {
  return { session: text(args[1]), number: Number(text(args[2])), ...placedKey(args, 3) };
}

export const DIGEST_MESSAGE: MessageKind = {
  name: DIGEST,
  group: 'comparison',
  isForLongWork: true,
  fault: (args) => {
    const isSound = args.length === 5 && isNumber(args[3]);
    return questionFault(args) ?? (isSound ? undefined : `${DIGEST} names no key`);
  },
  keys: (args) => (args.length < 5 ? [] : [placedKey(args, 3)]),
};
