import type { Slot } from '../redis/value.js';
import { clashes, covers, sameCell } from './unit.js';
import type { UserWrite, Write } from './write.js';

/**
 * Whether a local write that slipped in between decision and application would have changed nothing about the decision, and
 * the decision nothing about it. If not, the other site is asked for the key: it puts the two together by the ordinary rules.
 */
export function isIndependent(incoming: Write, late: UserWrite, slot: Slot | undefined): boolean {
  if (incoming.kind === 'need') return true;
  if (incoming.kind === 'state') return false;
  const [a, b] = [incoming.unit, late.unit];
  const simple = [a, b].every(({ role }) => role === 'cell-head' || role === 'tail' || role === 'expiry');
  if (!simple || clashes(a, b)) return false;
  // An expiry or a group may have been set on what is there no more.
  if ([a, b].some(({ role, argv }) => role === 'expiry' || argv[0] === 'XGROUP' || argv[0] === 'XCLAIM'))
    return false;
  // A removal may have taken the last of a key, and its expiry with it.
  if ((a.removal || b.removal) && slot?.expiresAt !== undefined) return false;
  if (covers(a, b) || covers(b, a)) return false;
  return !sameCell(a, b) || (a.role === 'tail' && b.role === 'tail');
}
