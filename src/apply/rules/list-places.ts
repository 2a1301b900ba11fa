/**
 * The places of a list, as two sites that wrote it at the same time see them: an element that is there, or the trace of one that
 * is not. Positions need no metadata on the key: the list as the sender saw it is today's length less the effects of the own
 * writes the sender had not seen.
 */

import type { Piece } from './meeting.js';

export interface Place {
  /** The own sequence that inserted it; 0: the sender had it. */
  readonly born: number;
  /** The own sequence that took it off; 0: it is there. */
  readonly gone: number;
  /** An unknown number of elements, none of them there any more. */
  readonly isHole: boolean;
  /** The own `LSET` on it. */
  readonly set: Piece | undefined;
}

/** Places that held up to an own sequence; undefined places: they are no longer known. */
export interface KnownPlaces {
  readonly upTo: number;
  readonly places: readonly Place[] | undefined;
}

/**
 * The places in the eyes of a sender that had seen own writes up to `seen`: from what is remembered, or else from today's length
 * less the effects of `own`. Undefined when that cannot be known.
 */
export function placesOf(options: {
  /** Own list writes and `DEL`s the sender had not seen, oldest first. */
  own: readonly Piece[];
  /** The list's length now. */
  length: number | undefined;
  seen: number;
  /** What was remembered from the last meeting. */
  known: KnownPlaces | undefined;
  /** Whether an own write may have met others that are forgotten. */
  isDoubtful: (own: Piece) => boolean;
}): Place[] | undefined {
  const { own, length, seen, known, isDoubtful } = options;
  if (length === undefined) return undefined;
  let places: Place[] | undefined;
  if (known && own.some(({ sequence }) => sequence <= known.upTo)) {
    places =
      known.places &&
      forward(
        known.places,
        own.filter(({ sequence }) => sequence > known.upTo),
      );
  } else places = own.some(isDoubtful) ? undefined : fromLength(own, length);
  if (!places || places.filter(isPresent).length !== length) return undefined;
  return places
    .filter(({ gone }) => gone === 0 || gone > seen)
    .map((place) => ({
      ...place,
      born: place.born <= seen ? 0 : place.born,
      set: place.set && place.set.sequence > seen ? place.set : undefined,
    }));
}

/** Walks back to the list as it was before `own`, or to the last own write that left it empty. */
function fromLength(own: readonly Piece[], length: number): Place[] | undefined {
  let before = length;
  for (let at = own.length - 1; at >= 0; at--) {
    const { name, command } = own[at]!;
    switch (name) {
      case 'RPUSH':
      case 'LPUSH':
        before -= command.length - 2;
        break;
      case 'LPOP':
      case 'RPOP': {
        const count = Number(command[2] ?? 1);
        // A counted pop may have taken fewer than it asked for, if it left nothing.
        if (before === 0 && count > 1) return fromHole(own, at);
        before += count;
        break;
      }
      case 'LSET':
        break;
      case 'DEL':
        return before === 0 ? fromHole(own, at) : undefined;
      default:
        return undefined;
    }
    if (before < 0) return undefined;
  }
  return forward(elements(before), own);
}

/** The own write at `at` left nothing of a list that nobody knows. If own pushes were in it, where they were is unknown too. */
function fromHole(own: readonly Piece[], at: number): Place[] | undefined {
  if (own.slice(0, at).some(({ isRemoval }) => !isRemoval)) return undefined;
  return forward([hole(own[at]!.sequence)], own.slice(at + 1));
}

/** The places after further own writes. Undefined when one of them took or put elements by their content. */
function forward(from: readonly Place[], own: readonly Piece[]): Place[] | undefined {
  let places = [...from];
  for (const write of own) {
    const { name, command, sequence } = write;
    const present = places.filter(isPresent);
    const take = (taken: readonly Place[]): Place[] => {
      const gone = new Set(taken);
      return places.map((place) => (gone.has(place) ? { ...place, gone: sequence } : place));
    };
    switch (name) {
      case 'RPUSH':
        places = [...places, ...elements(command.length - 2, sequence)];
        break;
      case 'LPUSH':
        places = [...elements(command.length - 2, sequence), ...places];
        break;
      case 'LPOP':
        places = take(present.slice(0, Number(command[2] ?? 1)));
        break;
      case 'RPOP':
        places = take(present.slice(Math.max(0, present.length - Number(command[2] ?? 1))));
        break;
      case 'DEL':
        places = take(present);
        break;
      case 'LTRIM': {
        const { from: start, to } = keptRange(present.length, Number(command[2]), Number(command[3]));
        places = take(present.filter((_, index) => index < start || index >= to));
        break;
      }
      case 'LSET': {
        const place = present.at(Number(command[2]));
        if (!place) return undefined;
        places = places.map((one) => (one === place ? { ...one, set: write } : one));
        break;
      }
      default:
        return undefined;
    }
  }
  return places;
}

/** Which indexes `LTRIM start stop` leaves: from `from` up to, not including, `to`. */
export function keptRange(length: number, start: number, stop: number): { from: number; to: number } {
  const from = Math.max(0, start < 0 ? length + start : start);
  const to = Math.min(length, (stop < 0 ? length + stop : stop) + 1);
  return from >= to ? { from: 0, to: 0 } : { from, to };
}

/** @param born the own sequence that inserted them; 0: the sender had them */
export function elements(count: number, born = 0): Place[] {
  return Array.from({ length: count }, () => ({ born, gone: 0, isHole: false, set: undefined }));
}

function hole(gone: number): Place {
  return { born: 0, gone, isHole: true, set: undefined };
}

/** Whether the sender had the place in its list. */
export function isInView({ born }: Place): boolean {
  return born === 0;
}

/** Whether the place holds an element here. */
export function isPresent({ gone }: Place): boolean {
  return gone === 0;
}

/** Today's index of a place. */
export function indexOf(places: readonly Place[], at: number): number {
  let index = 0;
  for (let i = 0; i < at; i++) if (isPresent(places[i]!)) index++;
  return index;
}

/** Where an element pushed by the sender goes: beside the sender's last (first) element; among the receiver's own pushes the smaller site name is first. */
export function pushPlace(places: readonly Place[], side: 'left' | 'right', isSenderFirst: boolean): number {
  if (side === 'right') return isSenderFirst ? places.findLastIndex(isInView) + 1 : places.length;
  const first = places.findIndex(isInView);
  return isSenderFirst ? 0 : first < 0 ? places.length : first;
}
