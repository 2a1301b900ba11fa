import { type Slot, sizeOf } from '../redis/value.js';
import { clashes, covers, isEnd, isFieldEnd, sameCell, unitOn } from './unit.js';
import { endOf, isFreeOf } from './ends.js';
import type { UserWrite, Write } from './write.js';

/**
 * Whether a local write that slipped in between decision and application would have changed nothing about the decision, and
 * the decision nothing about it. If not, the other site is asked for the key: it puts the two together by the ordinary rules.
 */
export function isIndependent(
  incoming: Write,
  late: UserWrite,
  key: string,
  slot: Slot | undefined,
): boolean {
  if (incoming.kind === 'need') return true;
  if (incoming.kind === 'state') return false;
  const [a, b] = [unitOn(incoming.unit, key), unitOn(late.unit, key)];
  // What is built on a life that ends ends with it, whoever was first.
  if (isEnd(a)) return b.role !== 'expiry' && (b.role !== 'key-head' || isEnd(b));
  // A field that has ended is not made anew by what was decided before, nor by what is decided behind.
  if (a.type === 'hash' && b.type === 'hash' && a.cell === b.cell) {
    if (isFieldEnd(b)) return a.role !== 'modify';
    if (isFieldEnd(a)) return b.role === 'tail';
  }
  if (endOf(a) && endOf(b)) return isFreeOf(incoming, key, [late], slot?.expiresAt !== undefined);
  const kinds = [kindOf(a.argv[0]!), kindOf(b.argv[0]!)];
  if (kinds.every((kind) => kind !== undefined)) return COMMUTING.has(kinds.toSorted().join(' '));
  // A member that is added was not there when the pop took another one.
  const isPast = a.type === 'zset' && a.role === 'cell-head' && b.role === 'pop';
  const simple =
    isPast || [a, b].every(({ role }) => role === 'cell-head' || role === 'tail' || role === 'expiry');
  if (!simple || clashes(a, b)) return false;
  // An expiry or a group may have been set on what is there no more.
  if ([a, b].some(({ role, argv }) => role === 'expiry' || argv[0] === 'XGROUP' || argv[0] === 'XCLAIM'))
    return false;
  // A removal may have taken the last of a key, and its expiry with it. (Of a sorted set it is known that it had none.)
  const areMembers = a.type === 'zset' && b.type === 'zset';
  if (
    !areMembers &&
    (a.removal || b.removal) &&
    (!slot || slot.expiresAt !== undefined || sizeOf(slot.value) === 1)
  )
    return false;
  if (covers(a, b) || covers(b, a)) return false;
  return !sameCell(a, b) || (a.role === 'tail' && b.role === 'tail');
}

/** What a command does to entries of streams; those that commute do so whichever entries they are on, which shows afterwards. */
function kindOf(name: string): string | undefined {
  const kinds: Readonly<Record<string, string>> = {
    XADD: 'add',
    XDEL: 'remove',
    XTRIM: 'trim',
    XCLAIM: 'deliver',
    XACK: 'deliver',
    GONE: 'gone',
  };
  return kinds[name];
}

const COMMUTING: ReadonlySet<string> = new Set([
  'add add',
  'add deliver',
  'add gone',
  'add remove',
  'deliver gone',
  'deliver remove',
  'deliver trim',
  'gone gone',
  'gone remove',
  'gone trim',
  'remove remove',
]);

/** Of pushes alone nothing can be amiss but their order. */
export function isOrderAlone(incoming: Write, met: readonly UserWrite[], key: string): boolean {
  if (incoming.kind !== 'user' || endOf(unitOn(incoming.unit, key))?.does !== 'push') return false;
  return met.every(({ unit }) => endOf(unitOn(unit, key)) !== undefined);
}
