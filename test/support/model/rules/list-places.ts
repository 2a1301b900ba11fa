import { trimmedRange } from '../redis/lists.js';
import { type ListMemory, type Place, type Side, elements, hole } from './list-memory.js';
import type { UserWrite } from './write.js';

/**
 * The places of a list in the eyes of a sender that had not seen `local`: from what is remembered, or else from today's
 * length less the effects of `local`. Undefined when that cannot be known.
 *
 * @param local own list writes and `DEL`s the sender had not seen, since the key was last replaced by something else
 * @param seen own sequence the sender had seen
 */
export function placesOf(
  key: string,
  own: readonly UserWrite[],
  length: number,
  seen: number,
  memory: ListMemory,
): Place[] | undefined {
  const remembered = memory.get(key);
  let places: Place[] | undefined;
  if (remembered && own.some(({ n }) => n <= remembered.upTo)) {
    places =
      remembered.places &&
      forward(
        remembered.places.map((place) => ({ ...place })),
        own.filter(({ n }) => n > remembered.upTo),
      );
  } else {
    places = own.some((write) => memory.isDoubtful(write)) ? undefined : fromLength(own, length);
  }
  if (!places || places.filter(isPresent).length !== length) return undefined;
  return places.flatMap((place) => {
    if (place.gone !== 0 && place.gone <= seen) return [];
    return [
      {
        ...place,
        born: place.born <= seen ? 0 : place.born,
        set: place.set && place.set.n > seen ? place.set : undefined,
      },
    ];
  });
}

/** Walks back to the list as it was before `local`, or to the last own write that left it empty. */
function fromLength(own: readonly UserWrite[], length: number): Place[] | undefined {
  let before = length;
  for (let at = own.length - 1; at >= 0; at--) {
    const { unit } = own[at]!;
    const count = Number(unit.argv[2] ?? 1);
    switch (unit.argv[0]) {
      case 'RPUSH':
      case 'LPUSH':
        before -= unit.argv.length - 2;
        break;
      case 'LPOP':
      case 'RPOP':
        // A counted pop may have taken fewer than it asked for, if it left nothing.
        if (before === 0 && count > 1) return fromHole(own, at);
        before += count;
        break;
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
function fromHole(own: readonly UserWrite[], at: number): Place[] | undefined {
  if (own.slice(0, at).some(({ unit }) => !unit.removal)) return undefined;
  return forward([hole(own[at]!.n)], own.slice(at + 1));
}

/** The places after further own writes. Undefined when one of them took or put elements by their content. */
function forward(places: Place[], own: readonly UserWrite[]): Place[] | undefined {
  for (const write of own) {
    const { argv } = write.unit;
    const present = places.filter(isPresent);
    const take = (taken: readonly Place[]): void => {
      for (const place of taken) place.gone = write.n;
    };
    switch (argv[0]) {
      case 'RPUSH':
        places.push(...elements(argv.length - 2, write.n, 'right'));
        break;
      case 'LPUSH':
        places.unshift(...elements(argv.length - 2, write.n, 'left'));
        break;
      case 'LPOP':
        take(present.slice(0, Number(argv[2] ?? 1)));
        break;
      case 'RPOP':
        take(present.slice(Math.max(0, present.length - Number(argv[2] ?? 1))));
        break;
      case 'DEL':
        take(present);
        break;
      case 'LTRIM': {
        const { from, count } = trimmedRange(present.length, Number(argv[2]), Number(argv[3]));
        take(present.filter((_, index) => index < from || index >= from + count));
        break;
      }
      case 'LSET': {
        const place = present.at(Number(argv[2]));
        if (!place) return undefined;
        place.set = write;
        break;
      }
      default:
        return undefined;
    }
  }
  return places;
}

/** Whether the sender had the place in its list. */
export function inView({ born }: Place): boolean {
  return born === 0;
}

/** Whether the place holds an element here. */
export function isPresent({ gone }: Place): boolean {
  return gone === 0;
}

/** Today's index of a place. */
export function indexIn(places: readonly Place[], at: number): number {
  return places.slice(0, at).filter(isPresent).length;
}

/**
 * Where an element pushed by the sender goes: next to its last (first) element, and beyond what was pushed here at the other end;
 * among what was pushed here at the same end the smaller site name is first.
 */
export function pushIndex(places: readonly Place[], side: Side, isSenderFirst: boolean): number {
  const isBeyond = (place: Place): boolean => inView(place) || place.side !== side;
  if (side === 'left') {
    const first = places.findIndex(isBeyond);
    return isSenderFirst ? 0 : first < 0 ? places.length : first;
  }
  return isSenderFirst ? places.findLastIndex(isBeyond) + 1 : places.length;
}
