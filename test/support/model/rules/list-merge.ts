import type { Occasion } from './occasion.js';
import { rerun } from './rerun.js';
import { isMoved } from './ends.js';
import type { Side } from './list-memory.js';
import { isUser, type StateWrite, type UserWrite } from './write.js';

/**
 * Whether a `STATE` of a list meets own removals its sender had not seen. They are made again on it, by content: all that its sender
 * had pushed before is here already, so what it holds and this list does not is what was taken off here.
 */
export function isMergeable({ store, key, own }: Occasion, { slot }: StateWrite): boolean {
  const users = own.filter(isUser);
  const isList = (one: typeof slot): boolean => one === undefined || one.value.type === 'list';
  if (!isList(slot) || !isList(store.get(key))) return false;
  const listed = users.filter(({ unit }) => unit.role !== 'expiry');
  return (
    listed.every(({ unit }) => unit.type === 'list' || unit.argv[0] === 'DEL') &&
    listed.some(({ unit }) => unit.type === 'list') &&
    listed.some(({ unit }) => unit.removal || isMoved(unit))
  );
}

/** What own writes may have done to a list. */
interface Account {
  /** How many elements they have taken off at the most: from the left, from the right, from anywhere. */
  left: number;
  right: number;
  any: number;
  /** The elements they have put in, as often as they have. */
  readonly put: Map<string, number>;
  /** At which end. */
  readonly sides: Map<string, Side>;
  /** How many they have put in that nobody knows. */
  readonly moved: { left: number; right: number };
}

function accountOf(users: readonly UserWrite[]): Account {
  const account: Account = {
    left: 0,
    right: 0,
    any: 0,
    put: new Map(),
    sides: new Map(),
    moved: { left: 0, right: 0 },
  };
  const put = (element: string, side: Side): void => {
    account.put.set(element, (account.put.get(element) ?? 0) + 1);
    account.sides.set(element, side);
  };
  for (const { unit } of users) {
    const { argv } = unit;
    const [name, , count = '1'] = argv;
    const side = name === 'LPUSH' || name === 'LPOP' ? 'left' : 'right';
    if (name === 'LPOP' || name === 'RPOP') account[side] += Number(count);
    else if (isMoved(unit)) account.moved[side]++;
    else if (name === 'LPUSH' || name === 'RPUSH') argv.slice(2).forEach((each) => put(each, side));
    else if (name === 'LINSERT') put(argv[4]!, side);
    else if (name === 'LREM') account.any += Number(count) === 0 ? Infinity : Math.abs(Number(count));
    else if (unit.removal) account.any = Infinity;
  }
  return account;
}

/** The list as the state has it, without what was taken off here, and with what was put in here and is still there. */
export function mergeList(
  { store, key, isMisplaced }: Occasion,
  state: StateWrite,
  users: readonly UserWrite[],
): void {
  const theirs = state.slot?.value.type === 'list' ? state.slot.value.elements : [];
  const mine = (store.read(key, 'list') || undefined)?.elements ?? [];
  const account = accountOf(users);
  // What is not here may have been taken off by mistake: then it comes back.
  const isTrusted = !isMisplaced && !state.isWhole;
  if (!isTrusted) account.left = account.right = account.any = 0;
  const over = countOf(theirs);
  const kinds = kindsOf(mine, over, account);
  // What is left over of the state was taken off here, as far as own writes can have taken so much.
  const gone = new Set<number>();
  const goes = (at: number): boolean => !gone.has(at) && takeOne(over, theirs[at]!) && Boolean(gone.add(at));
  for (let at = theirs.length - 1; at >= 0 && account.right > 0; at--) if (goes(at)) account.right--;
  for (let at = 0; at < theirs.length && account.left > 0; at++) if (goes(at)) account.left--;
  for (let at = 0; at < theirs.length && account.any > 0; at++) if (goes(at)) account.any--;
  const again = isTrusted
    ? []
    : [...account.put].flatMap(([element, count]) => Array<string>(count).fill(element));
  const elements = [
    ...again.filter((element) => account.sides.get(element) === 'left'),
    ...mine.filter((_, at) => kinds[at] === 'left'),
    ...theirs.filter((_, at) => !gone.has(at)),
    ...mine.filter((_, at) => kinds[at] === 'right'),
    ...again.filter((element) => account.sides.get(element) === 'right'),
  ];
  const expiresAt = state.slot?.expiresAt;
  store.put(key, elements.length === 0 ? undefined : { value: { type: 'list', elements }, expiresAt });
  for (const user of users) if (user.unit.role === 'expiry') rerun(store, user);
}

/**
 * What each of this list's elements is: one put in here, at an end, or one of the state's, or one that the other site has taken off.
 * @param over elements of the state; those found here are taken out of it
 */
function kindsOf(
  mine: readonly string[],
  over: Map<string, number>,
  { put, sides, moved }: Account,
): (Side | 'theirs' | 'taken')[] {
  const kinds = mine.map((element): Side | 'theirs' | 'taken' => {
    // An element that was taken and put back is where it was put.
    if (takeOne(put, element)) return sides.get(element)!;
    return takeOne(over, element) ? 'theirs' : 'taken';
  });
  const isMovedHere = (at: number, side: Side): void => {
    if (kinds[at] !== 'taken' || moved[side] === 0) return;
    moved[side]--;
    kinds[at] = side;
  };
  for (let at = 0; at < kinds.length; at++) isMovedHere(at, 'left');
  for (let at = kinds.length - 1; at >= 0; at--) isMovedHere(at, 'right');
  const first = kinds.indexOf('theirs');
  if (first < 0) return kinds;
  return kinds.map((kind, at) =>
    kind === 'left' || kind === 'right' ? (at < first ? 'left' : 'right') : kind,
  );
}

function countOf(elements: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const element of elements) counts.set(element, (counts.get(element) ?? 0) + 1);
  return counts;
}

function takeOne(counts: Map<string, number>, element: string): boolean {
  const count = counts.get(element) ?? 0;
  if (count > 0) counts.set(element, count - 1);
  return count > 0;
}
