/** The findings of a comparison about a key. */

import type { PlacedKey } from '../../redis-commands/placed-key.js';
import { NO_CLAIM, type Claim } from '../claim.js';
import type { Gap } from '../gap.js';

/**
 * A finding about a key, as the asking site sees it. `busy`: it was being written at the answering site; `equal`: so it was, and it was
 * equal all the same; `passing`: it is about to expire, or parts of it are; `excluded`: the answering site leaves it out;
 * `not-comparable`: both have a value of a type that no server tells the parts of, and their dumps differ; `large`: the value is too large
 * for one step; `left`: there were too many values for one step.
 */
export type Finding =
  | 'missing-there'
  | 'missing-here'
  | 'type'
  | 'value'
  | 'expiry'
  | 'busy'
  | 'equal'
  | 'passing'
  | 'excluded'
  | 'not-comparable'
  | 'large'
  | 'left';

/** A key that differs, or cannot be told. */
export interface Found extends PlacedKey {
  readonly finding: Finding;
  /** Roughly the bytes of the value at the answering site; 0 when there is none. */
  readonly bytes: number;
  /** Whether the answering site had no such key when the sites first met. */
  readonly isNewThere: boolean;
  /** When the answering site (`ownMs`) last wrote the key, and the asking one as far as is known there (`peerMs`). */
  readonly claim: Claim;
  /** The gap of the answering site's history that is not repaired. */
  readonly cut: Gap | undefined;
}

const FINDINGS: Readonly<Record<string, Finding>> = {
  m: 'missing-there',
  o: 'missing-here',
  t: 'type',
  v: 'value',
  e: 'expiry',
  b: 'passing',
  w: 'busy',
  q: 'equal',
  x: 'excluded',
  u: 'not-comparable',
  p: 'large',
  l: 'left',
};

export const [EQUAL, PASSING, BUSY] = ['q', 'b', 'w'] as const;
/** A finding; in place of an entry: this key is not to be looked at. */
export const EXCLUDED = 'x';

/** A finding as it stands in an answer. */
export const FINDING = /^([motvebqwxupl])(\d{0,16})(n?)(?:@(\d{1,16}),(\d{1,16}))?$/;

/** @param told matches {@link FINDING} @param cut the gap of the site that tells it */
export function parseFinding(placed: PlacedKey, told: string, cut: Gap | undefined): Found {
  const [, letter, bytes, isNew, ownMs, peerMs] = FINDING.exec(told)!;
  return {
    ...placed,
    finding: FINDINGS[letter!]!,
    bytes: Number(bytes),
    isNewThere: isNew === 'n',
    claim: ownMs === undefined ? NO_CLAIM : { ownMs: Number(ownMs), peerMs: Number(peerMs) },
    cut,
  };
}
