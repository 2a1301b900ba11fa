/**
 * The places of a list, as two sites that wrote it at the same time see them: an element that is there, or the trace of one that
 * is not. Positions need no metadata on the key: the list as the sender saw it is today's length less the effects of the own
 * writes the sender had not seen.
 */

import { isAbove, type Piece } from './meeting.js';

export interface Place {
  /** The own sequence that inserted it; 0: the sender had it. */
  readonly born: number;
  /** The own sequence that took it off; 0: it is there. */
  readonly gone: number;
  /** Taken off by the sender while own writes up to this own sequence were unseen; 0: not so. It still tells apart what was pushed on either side of it. */
  readonly dead: number;
  /** An unknown number of elements, none of them there any more. */
  readonly isHole: boolean;
  /** The own `LSET` on it. */
  readonly set: OwnListPiece | undefined;
}

/** An own piece with its sequence. */
export interface OwnListPiece {
  readonly piece: Piece;
  readonly sequence: number;
}

/** Places that held up to an own sequence; undefined places: they are no longer known. */
export interface KnownPlaces {
  readonly upTo: number;
  readonly places: readonly Place[] | undefined;
}

/**
 * The places in the eyes of a sender that had seen own writes up to `seen`. Undefined when that cannot be known.
 * @param own own list writes and `DEL`s the sender had not seen, oldest first
 * @param length the list's length now
 * @param known what was remembered from the last meeting
 * @param doubtedUpTo own writes up to here may have met others that are forgotten
 */
export function placesOf(options: {
  own: readonly OwnListPiece[];
  length: number;
  seen: number;
  known: KnownPlaces | undefined;
  doubtedUpTo: number;
}): Place[] | undefined {
  const { own, length, seen, known, doubtedUpTo } = options;
  let places: Place[] | undefined;
  if (known && own.some(({ sequence }) => sequence <= known.upTo)) {
    places =
      known.places &&
      forward(
        known.places,
        own.filter(({ sequence }) => sequence > known.upTo),
      );
  } else places = own.some(({ sequence }) => sequence <= doubtedUpTo) ? undefined : fromLength(own, length);
  if (!places || places.filter(isPresent).length !== length) return undefined;
  return places
    .filter(({ gone, dead }) => !(gone !== 0 && gone <= seen) && !(dead !== 0 && dead <= seen))
    .map((place) => ({
      ...place,
      born: place.born <= seen ? 0 : place.born,
      set: place.set && place.set.sequence > seen ? place.set : undefined,
    }));
}

/** Walks back to the list as it was before `own`, or to the last own write that left it empty. */
function fromLength(own: readonly OwnListPiece[], length: number): Place[] | undefined {
  let before = length;
  for (let at = own.length - 1; at >= 0; at--) {
    const { piece, sequence } = own[at]!;
    const args = piece.commands[0]!;
    switch (nameOf(piece)) {
      case 'RPUSH':
      case 'LPUSH':
        before -= args.length - 2;
        break;
      case 'LPOP':
      case 'RPOP': {
        const count = Number(args[2] ?? 1);
        // A counted pop may have taken fewer than it asked for, if it left nothing.
        if (before === 0 && count > 1) return forward([hole(sequence)], own.slice(at + 1));
        before += count;
        break;
      }
      case 'LSET':
        break;
      case 'DEL':
        return before === 0 ? forward([hole(sequence)], own.slice(at + 1)) : undefined;
      default:
        return undefined;
    }
    if (before < 0) return undefined;
  }
  return forward(elements(before), own);
}

/** The places after further own writes. Undefined when one of them took or put elements by their content. */
function forward(from: readonly Place[], own: readonly OwnListPiece[]): Place[] | undefined {
  let places = [...from];
  for (const write of own) {
    const args = write.piece.commands[0]!;
    const present = places.filter(isPresent);
    const take = (taken: readonly Place[]): Place[] =>
      places.map((place) => (taken.includes(place) ? { ...place, gone: write.sequence } : place));
    switch (nameOf(write.piece)) {
      case 'RPUSH':
        places = [...places, ...elements(args.length - 2, write.sequence)];
        break;
      case 'LPUSH':
        places = [...elements(args.length - 2, write.sequence), ...places];
        break;
      case 'LPOP':
        places = take(present.slice(0, Number(args[2] ?? 1)));
        break;
      case 'RPOP':
        places = take(present.slice(Math.max(0, present.length - Number(args[2] ?? 1))));
        break;
      case 'DEL':
        places = take(present);
        break;
      case 'LTRIM': {
        const { from: start, to } = keptRange(present.length, Number(args[2]), Number(args[3]));
        places = take(present.filter((_, index) => index < start || index >= to));
        break;
      }
      case 'LSET': {
        const place = present.at(Number(args[2]));
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

export function elements(count: number, born = 0): Place[] {
  return Array.from({ length: count }, () => ({ born, gone: 0, dead: 0, isHole: false, set: undefined }));
}

function hole(gone: number): Place {
  return { born: 0, gone, dead: 0, isHole: true, set: undefined };
}

/** Whether the sender had the place in its list. */
export function isInView({ born, dead }: Place): boolean {
  return born === 0 && dead === 0;
}

/** Whether the place holds an element here. */
export function isPresent({ gone, dead }: Place): boolean {
  return gone === 0 && dead === 0;
}

/** Today's index of a place. */
export function indexOf(places: readonly Place[], at: number): number {
  return places.slice(0, at).filter(isPresent).length;
}

/** Where an element pushed by the sender goes: beside the sender's last (first) element; among pushes of both the smaller site name is first. */
export function pushPlace(places: readonly Place[], side: 'left' | 'right', isSenderFirst: boolean): number {
  const isCommon = ({ born }: Place): boolean => born === 0;
  if (side === 'right') return isSenderFirst ? places.findLastIndex(isCommon) + 1 : places.length;
  const first = places.findIndex(isCommon);
  return isSenderFirst ? 0 : first < 0 ? places.length : first;
}

/** Whether the own `LSET` on a place stays against an incoming one. */
export function keepsOwnSet({ set }: Place, incoming: Piece): boolean {
  return set !== undefined && isAbove(set.piece.rank, incoming.rank);
}

export function nameOf(piece: Piece): string {
  return String(piece.commands[0]![0]).toUpperCase();
}
