import { endsOf } from './unit.js';
import { insertAt, removeAt, removedIndexes, trimmedRange } from '../redis/lists.js';
import { Store } from '../redis/store.js';
import { type Place, element, elements } from './list-memory.js';
import { inView, indexIn, isPresent, placesOf, pushIndex } from './list-places.js';
import { type Occasion, leaveOutRemoval } from './occasion.js';
import { isInterleaved } from './ends.js';
import { isByPosition, rerun } from './rerun.js';
import { type UserWrite, above, isUser, rankOf } from './write.js';

/** How a list command meets what its sender had not seen. */
export interface ListMeeting {
  /** Own list writes and `DEL`s on the key the sender had not seen. */
  readonly own: readonly UserWrite[];
  /** An own `STATE` or another head replaced the list in between: positions mean nothing any more. */
  readonly isReplaced: boolean;
  /** A `STATE` will settle it anyway. */
  readonly isSettled: boolean;
  /** It means the same as it is, whatever is known of places. */
  readonly isFree: boolean;
}

/**
 * A list command of the other site. Pushes always go in. What takes off or overwrites by position does so only where it is
 * certain which element is meant: otherwise nothing happens, and the other site, which knows, is asked.
 */
export function applyToList(occasion: Occasion, incoming: UserWrite, meeting: ListMeeting): void {
  const { store, key, lists } = occasion;
  const list = store.read(key, 'list');
  if (list === false) return;
  if (meeting.isReplaced && isByPosition(incoming)) return;
  if (meeting.isFree && !lists.isKnown(key, incoming.seen)) {
    store.run(incoming.unit.argv);
    if (occasion.own.some((own) => isUser(own) && isInterleaved(incoming.unit, own.unit)))
      lists.set(key, undefined);
    return;
  }
  const isUnknown = occasion.isAsking || lists.isUnknown(key, incoming.seen);
  if (meeting.own.length === 0 && !isUnknown) {
    lists.forget(key);
    if (isByPosition(incoming)) store.run(incoming.unit.argv);
    else rerun(store, incoming);
    return;
  }
  const before = isUnknown
    ? undefined
    : placesOf(key, meeting.own, list?.elements.length ?? 0, incoming.seen, lists);
  const places = before && perform(store, key, before, incoming);
  lists.set(key, places);
  if (places) return;
  if (!isByPosition(incoming)) rerun(store, incoming);
  if (meeting.isSettled) return;
  if (incoming.unit.removal) leaveOutRemoval(occasion);
  else occasion.need(key);
}

/** A `DEL` of the other site: it takes what its sender had, and leaves what was pushed here meanwhile. */
export function deleteList(occasion: Occasion, incoming: UserWrite, own: readonly UserWrite[]): void {
  const { store, key, lists } = occasion;
  const isUnknown = occasion.isAsking || lists.isUnknown(key, incoming.seen);
  const places = isUnknown
    ? undefined
    : placesOf(
        key,
        own.filter(({ unit }) => unit.role !== 'expiry'),
        (store.read(key, 'list') || undefined)?.elements.length ?? 0,
        incoming.seen,
        lists,
      );
  if (!places) {
    lists.set(key, undefined);
    occasion.need(key);
    return;
  }
  const kept = takeOff(store, key, places, places.filter(inView));
  lists.set(key, kept);
  const slot = store.get(key);
  if (!slot) return;
  const alone = new Store();
  for (const write of own) rerun(alone, write);
  const given = alone.get(key)?.expiresAt;
  if (given !== undefined) slot.expiresAt = given;
  // A pop may have emptied what the expiry was set on.
  if (given !== undefined && own.some(({ unit }) => unit.removal)) occasion.need(key);
}

/** The places afterwards; undefined when it is not certain what is meant: then nothing has been done. */
function perform(store: Store, key: string, places: Place[], incoming: UserWrite): Place[] | undefined {
  const { argv } = incoming.unit;
  switch (argv[0]) {
    case 'RPUSH':
    case 'LPUSH': {
      const pushed = argv[0] === 'RPUSH' ? argv.slice(2) : argv.slice(2).toReversed();
      const isSenderFirst = incoming.site < otherSite(incoming.site);
      const side = argv[0] === 'RPUSH' ? 'right' : 'left';
      const at = pushIndex(places, side, isSenderFirst);
      // What both once had and only this site has taken off tells own pushes apart here, but not at the other site.
      const isKnownThere = (place: Place): boolean => isPresent(place) || !inView(place);
      const there = pushIndex(places.filter(isKnownThere), side, isSenderFirst);
      if (places.slice(0, at).filter(isKnownThere).length !== there) return undefined;
      insertAt(store, key, indexIn(places, at), pushed);
      return places.toSpliced(at, 0, ...elements(pushed.length));
    }
    case 'LINSERT':
      return insertBeside(store, key, places, argv);
    case 'LSET':
      return overwrite(store, key, places, incoming);
    default: {
      const taken = takenBy(store, key, places, argv);
      return taken && takeOff(store, key, places, taken);
    }
  }
}

/**
 * A move of the other site: takes the element that its sender took, and puts it where its sender put it, in one step.
 * @returns false, with nothing done, when it is not certain which element, or where
 */
export function applyMove(from: Occasion, to: Occasion, incoming: UserWrite): boolean {
  const { take, put } = endsOf(incoming.unit);
  const [source, target] = [placesNow(from, incoming), placesNow(to, incoming)];
  const taken = source && takenBy(from.store, from.key, source, take.argv);
  // Of one that is gone here, or another one meanwhile, it is not known what was put there.
  if (!source || !target || taken?.length !== 1 || !isPresent(taken[0]!) || taken[0]!.set) return false;
  const content = contentOf(from.store, from.key, source, taken[0]!);
  const pushed = { ...incoming, unit: { ...put, argv: [put.argv[0]!, put.key, content] } };
  const after = perform(to.store, to.key, target, pushed);
  if (!after) return false;
  to.lists.set(to.key, after);
  from.lists.set(from.key, takeOff(from.store, from.key, source, taken));
  return true;
}

/** The places of a list for a move. */
function placesNow(
  { store, key, own, pending, isAsking, lists }: Occasion,
  { seen }: UserWrite,
): Place[] | undefined {
  const list = store.read(key, 'list');
  if (list === false || pending || isAsking || lists.isUnknown(key, seen)) return undefined;
  const listed = own.filter(isUser).filter(({ unit }) => unit.role !== 'expiry');
  if (own.some((write) => !isUser(write)) || listed.some(({ unit }) => unit.type !== 'list'))
    return undefined;
  return placesOf(key, listed, list?.elements.length ?? 0, seen, lists);
}

/** Two sites, named so that one name is smaller. */
function otherSite(site: string): string {
  return site === 'east' ? 'west' : 'east';
}

/** The places in the sender's view that the command takes off. */
function takenBy(
  store: Store,
  key: string,
  places: readonly Place[],
  argv: readonly string[],
): Place[] | undefined {
  const view = places.filter(inView);
  const count = Number(argv[2] ?? 1);
  const certain = (taken: Place[]): Place[] | undefined =>
    taken.some(({ isHole }) => isHole) ? undefined : taken;
  switch (argv[0]) {
    case 'LPOP':
      return certain(view.slice(0, count));
    case 'RPOP':
      return certain(view.slice(Math.max(0, view.length - count)));
    case 'LTRIM': {
      if (!certain(view)) return undefined;
      const { from, count: kept } = trimmedRange(view.length, Number(argv[2]), Number(argv[3]));
      return view.filter((_, index) => index < from || index >= from + kept);
    }
    case 'LREM': {
      if (view.some(({ gone }) => gone !== 0)) return undefined;
      return removedIndexes(
        view.map((place) => contentOf(store, key, places, place)),
        count,
        argv[3]!,
      ).map((index) => view[index]!);
    }
    default:
      return undefined;
  }
}

/** Takes off the places: those that are there from the list; those that are not, both sites have taken off. */
function takeOff(store: Store, key: string, places: readonly Place[], taken: readonly Place[]): Place[] {
  const rest = [...places];
  for (const place of taken) {
    const at = rest.indexOf(place);
    if (isPresent(place)) removeAt(store, key, indexIn(rest, at));
    rest.splice(at, 1);
  }
  return rest;
}

function overwrite(store: Store, key: string, places: Place[], incoming: UserWrite): Place[] | undefined {
  const [, , index, content] = incoming.unit.argv;
  const view = places.filter(inView);
  const position = Number(index);
  const crossed = position < 0 ? view.slice(position) : view.slice(0, position + 1);
  const place = view.at(position);
  if (!place || crossed.some(({ isHole }) => isHole)) return undefined;
  if (place.gone !== 0 || (place.set && above(rankOf(place.set), rankOf(incoming)))) return places;
  store.run(['LSET', key, String(indexIn(places, places.indexOf(place))), content!]);
  place.set = undefined;
  return places;
}

function insertBeside(
  store: Store,
  key: string,
  places: Place[],
  argv: readonly string[],
): Place[] | undefined {
  const [, , where, pivot, content] = argv;
  const view = places.filter(inView);
  if (view.some(({ gone }) => gone !== 0)) return undefined;
  const place = view.find((each) => contentOf(store, key, places, each) === pivot);
  if (!place) return undefined;
  const at = places.indexOf(place) + (where === 'BEFORE' ? 0 : 1);
  insertAt(store, key, indexIn(places, at), [content!]);
  return places.toSpliced(at, 0, element());
}

function contentOf(store: Store, key: string, places: readonly Place[], place: Place): string {
  return (store.read(key, 'list') || undefined)!.elements[indexIn(places, places.indexOf(place))]!;
}
