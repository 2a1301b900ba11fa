/**
 * `TANDEM.MEMBERS database key end isWhole (member score)…`: the members of a sorted set that are next to be popped, from its end
 * `lowest` or `highest` on; `isWhole` is 1 where these are all. `list-members.lua` says it. It never leaves the site.
 */

import type { PlacedKey } from '../../redis-commands/placed-key.js';
import {
  firstKey,
  isNumber,
  noNumber,
  placedKey,
  text,
  wrongCount,
  type MessageKind,
} from './message-kind.js';

export const MEMBERS = 'TANDEM.MEMBERS';

const BEFORE_MEMBERS = 5;

export interface MembersTold extends PlacedKey {
  readonly end: 'lowest' | 'highest';
  readonly isWhole: boolean;
  readonly members: readonly { readonly name: Buffer; readonly score: Buffer }[];
}

/** @param args well-formed, the name first */
export function parseMembers(args: readonly Buffer[]): MembersTold {
  const members = [];
  for (let at = BEFORE_MEMBERS; at + 1 < args.length; at += 2)
    members.push({ name: args[at]!, score: args[at + 1]! });
  return {
    ...placedKey(args, 1),
    end: text(args[3]) === 'lowest' ? 'lowest' : 'highest',
    isWhole: text(args[4]) === '1',
    members,
  };
}

export const MEMBERS_MESSAGE: MessageKind = {
  name: MEMBERS,
  group: 'site',
  fault: (args) => {
    if (args.length < BEFORE_MEMBERS || (args.length - BEFORE_MEMBERS) % 2 !== 0) return wrongCount(args);
    return isNumber(args[1]) && isNumber(args[4]) ? undefined : noNumber(args);
  },
  keys: firstKey,
};
