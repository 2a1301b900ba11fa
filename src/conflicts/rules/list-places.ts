/**
 * The places of a list, as two sites that wrote it at the same time see them: elements that are there, and traces of those that
 * are not. Positions need no metadata on the key: the list as the sender saw it is today's length less the effects of the own
 * writes the sender had not seen. Places side by side that have the same story are one run, so a long list is a few runs.
 */

import type { Piece } from '../../pieces/piece.js';

/** An end of a list. */
export type Side = 'left' | 'right';

/** Places side by side with the same story. */
export interface Place {
  readonly count: number;
  /** The own batch that inserted them, by its last sequence; 0: the sender had them. */
  readonly born: number;
  /** For local ones: at which end they were pushed. */
  readonly side?: Side | undefined;
  /** The own batch that took them off, by its last sequence; 0: they are there. */
  readonly gone: number;
  /** An unknown number of elements, none of them there any more. Counts as one. */
  readonly isHole: boolean;
  /** The own `LSET` on it; then it is one place. */
  readonly set: Piece | undefined;
}

/** Places that held up to a local sequence, in the eyes of a sender; undefined places: they are no longer known. */
export interface KnownPlaces {
  readonly upTo: number;
  /** What the sender in whose eyes they are had seen. */
  readonly seen: number;
  readonly places: readonly Place[] | undefined;
}

/**
 * The places in the eyes of a sender that had seen local writes up to `seen`: from what is remembered, or else from today's length
 * less the effects of `local`. Undefined when that cannot be known.
 */
export function placesOf(options: {
  /** Own list writes and `DEL`s the sender had not seen, oldest first. */
  local: readonly Piece[];
  /** The list's length now. */
  length: number | undefined;
  seen: number;
  /** The places kept from an earlier batch. */
  known: KnownPlaces | undefined;
  /** Whether a local write may have met others that are forgotten. */
  isDoubtful: (local: Piece) => boolean;
}): readonly Place[] | undefined {
  const { local, length, seen, known, isDoubtful } = options;
  if (length === undefined) return undefined;
  let places: readonly Place[] | undefined;
  let isSeen = false;
  if (known && local.length > 0 && local[0]!.sequence <= known.upTo) {
    const later = local.slice(local.findLastIndex(({ sequence }) => sequence <= known.upTo) + 1);
    isSeen = later.length === 0 && known.seen === seen;
    places = known.places && forward(known.places, later);
  } else places = local.some(isDoubtful) ? undefined : fromLength(local, length);
  if (!places || present(places) !== length) return undefined;
  return isSeen ? places : inTheEyesOf(places, seen);
}

/** The places in a sender's eyes: local pushes that it had seen are plain, elements that it had seen taken off are gone. */
function inTheEyesOf(places: readonly Place[], seen: number): Place[] {
  const found: Place[] = [];
  for (const place of places) {
    if (place.gone !== 0 && place.gone <= seen) continue;
    const born = place.born <= seen ? 0 : place.born;
    const set = place.set && place.set.sequence > seen ? place.set : undefined;
    const side = born === 0 ? undefined : place.side;
    add(found, born === place.born && set === place.set ? place : { ...place, born, side, set });
  }
  return found;
}

/** Adds a run at the end; one with the same story becomes part of the last one. */
function add(places: Place[], place: Place): void {
  const last = places.at(-1);
  const isSame =
    last !== undefined &&
    last.born === place.born &&
    last.side === place.side &&
    last.gone === place.gone &&
    !last.isHole &&
    !place.isHole &&
    last.set === undefined &&
    place.set === undefined;
  if (isSame) places[places.length - 1] = { ...last, count: last.count + place.count };
  else places.push(place);
}

/** Walks back to the list as it was before `local`, or to the last local write that left it empty. */
function fromLength(local: readonly Piece[], length: number): Place[] | undefined {
  let before = length;
  for (let at = local.length - 1; at >= 0; at--) {
    const { name, command } = local[at]!;
    switch (name) {
      case 'RPUSH':
      case 'LPUSH':
        before -= command.length - 2;
        break;
      case 'LPOP':
      case 'RPOP': {
        const count = Number(command[2] ?? 1);
        // A counted pop may have taken fewer than it asked for, if it left nothing.
        if (before === 0 && count > 1) return fromHole(local, at);
        before += count;
        break;
      }
      case 'LSET':
        break;
      case 'DEL':
        return before === 0 ? fromHole(local, at) : undefined;
      default:
        return undefined;
    }
    if (before < 0) return undefined;
  }
  return forward(elements(before), local);
}

/** The local write at `at` left nothing of a list with unknown places. If local pushes were in it, where they were is unknown too. */
function fromHole(local: readonly Piece[], at: number): Place[] | undefined {
  if (local.slice(0, at).some(({ isRemoval }) => !isRemoval)) return undefined;
  return forward([hole(local[at]!.batchEnd)], local.slice(at + 1));
}

/** The places after further local writes. Undefined when one of them took or put elements by their content. */
function forward(from: readonly Place[], local: readonly Piece[]): Place[] | undefined {
  let places = [...from];
  for (const write of local) {
    const { name, command, batchEnd } = write;
    const take = (start: number, end: number): void => {
      places = split(places, isPresent, [start, end]).map(({ place, index }) =>
        isPresent(place) && index >= start && index < end ? { ...place, gone: batchEnd } : place,
      );
    };
    const count = Number(command[2] ?? 1);
    switch (name) {
      case 'RPUSH':
        places = withRun(places, places.length, runOf(command.length - 2, batchEnd, 'right'));
        break;
      case 'LPUSH':
        places = withRun(places, 0, runOf(command.length - 2, batchEnd, 'left'));
        break;
      case 'LPOP':
        take(0, count);
        break;
      case 'RPOP':
        take(Math.max(0, present(places) - count), Infinity);
        break;
      case 'DEL':
        take(0, Infinity);
        break;
      case 'LTRIM': {
        const length = present(places);
        const { from: start, to } = keptRange(length, count, Number(command[3]));
        take(to, Infinity);
        take(0, start);
        break;
      }
      case 'LSET': {
        const index = count < 0 ? present(places) + count : count;
        const parts = split(places, isPresent, [index, index + 1]);
        const at = parts.findIndex((one) => isPresent(one.place) && one.index === index);
        if (at < 0) return undefined;
        places = parts.map(({ place }, i) => (i === at ? { ...place, set: write } : place));
        break;
      }
      default:
        return undefined;
    }
  }
  return places;
}

/** A run with the number of places of its sort that stand before it. */
export interface Part {
  readonly place: Place;
  readonly index: number;
}

/** The runs, cut where, among the places that count, one of these numbers stands before. */
export function split(
  places: readonly Place[],
  counts: (place: Place) => boolean,
  cuts: readonly number[],
): Part[] {
  const parts: Part[] = [];
  let index = 0;
  for (const place of places) {
    if (!counts(place)) {
      parts.push({ place, index });
      continue;
    }
    const end = index + place.count;
    const inside = cuts.filter((cut) => cut > index && cut < end).toSorted((a, b) => a - b);
    for (const cut of [...inside, end]) {
      parts.push({ place: cut - index === place.count ? place : { ...place, count: cut - index }, index });
      index = cut;
    }
  }
  return parts;
}

/** Which indexes `LTRIM start stop` leaves: from `from` up to, not including, `to`. */
export function keptRange(length: number, start: number, stop: number): { from: number; to: number } {
  const from = Math.max(0, start < 0 ? length + start : start);
  const to = Math.min(length, (stop < 0 ? length + stop : stop) + 1);
  return from >= to ? { from: 0, to: 0 } : { from, to };
}

/** @param born the own batch that inserted them, by its last sequence; 0: the sender had them */
export function elements(count: number, born = 0, side?: Side): Place[] {
  return count === 0 ? [] : [runOf(count, born, side)];
}

function runOf(count: number, born: number, side?: Side): Place {
  return { count, born, side, gone: 0, isHole: false, set: undefined };
}

function hole(gone: number): Place {
  return { count: 1, born: 0, gone, isHole: true, set: undefined };
}

/** The places with a run put before the one at `at`. */
export function withRun(places: readonly Place[], at: number, run: Place): Place[] {
  const found = places.slice(0, at);
  add(found, run);
  if (at < places.length) add(found, places[at]!);
  for (let i = at + 1; i < places.length; i++) found.push(places[i]!);
  return found;
}

/** Whether the sender had the places in its list. */
export function isInView({ born }: Place): boolean {
  return born === 0;
}

/** Whether the places hold elements here. */
export function isPresent({ gone }: Place): boolean {
  return gone === 0;
}

/** Elements that are there. */
export function present(places: readonly Place[]): number {
  let count = 0;
  for (const place of places) if (isPresent(place)) count += place.count;
  return count;
}

/** Places the sender had in its list. */
export function inView(places: readonly Place[]): number {
  let count = 0;
  for (const place of places) if (isInView(place)) count += place.count;
  return count;
}

/** Today's index of the first place of the run at `at`. */
export function indexOf(places: readonly Place[], at: number): number {
  let index = 0;
  for (let i = 0; i < at; i++) if (isPresent(places[i]!)) index += places[i]!.count;
  return index;
}

/**
 * Before which run an element pushed by the sender goes: beside the sender's last (first) element, and beyond what was pushed here at
 * the other end; among the receiver's own pushes at the same end the smaller site name is first.
 */
export function pushPlace(places: readonly Place[], side: Side, isSenderFirst: boolean): number {
  const isBeyond = (place: Place): boolean => isInView(place) || place.side !== side;
  if (side === 'right') return isSenderFirst ? places.findLastIndex(isBeyond) + 1 : places.length;
  const first = places.findIndex(isBeyond);
  return isSenderFirst ? 0 : first < 0 ? places.length : first;
}
