import type { UserWrite } from './write.js';

export type Side = 'left' | 'right';

/**
 * One place in a list as the receiver sees it: an element that is there, or the trace of one that is not.
 * `born` is the own sequence that inserted it (0: the sender had it), `gone` the own sequence that took it off (0: it is there).
 */
export interface Place {
  readonly born: number;
  /** For an own one: at which end it was pushed. */
  readonly side: Side | undefined;
  gone: number;
  /** An unknown number of elements, none of them there any more. */
  readonly isHole: boolean;
  /** The own `LSET` on it. */
  set: UserWrite | undefined;
}

/** A list's places, valid up to an own sequence; `places` undefined: they are no longer known. */
export interface Places {
  readonly upTo: number;
  readonly places: Place[] | undefined;
}

/** The places of lists by key, and what is written of them beside the data: the newest own sequence that any of them ever was about. */
export class PlacesOfLists extends Map<string, Places> {
  notedThrough = 0;

  override set(key: string, places: Places): this {
    this.notedThrough = Math.max(this.notedThrough, places.upTo);
    return super.set(key, places);
  }
}

/** What the site remembers of lists. Written in the same atomic step as the effects, or else doubted after a restart. */
export interface ListMemory {
  get(key: string): Places | undefined;
  /** `undefined` places: unknown. */
  set(key: string, places: Place[] | undefined): void;
  /** Whether the places are not known to a sender that had seen so much: this site has asked, or had to guess. */
  isUnknown(key: string, seen: number): boolean;
  /** Whether they are remembered, as the sender has not seen all that made them so. */
  isKnown(key: string, seen: number): boolean;
  forget(key: string): void;
  /** A `STATE` has replaced the key: a list of so many elements, on which these own pushes are run again. */
  replaced(key: string, length: number, built: readonly UserWrite[]): void;
  /** Whether this own write may have met others whose places were forgotten. */
  isDoubtful(write: { readonly n: number; readonly seen: number }): boolean;
}

export function element(born = 0, side?: Side): Place {
  return { born, side, gone: 0, isHole: false, set: undefined };
}

export function hole(gone: number): Place {
  return { born: 0, side: undefined, gone, isHole: true, set: undefined };
}

export function elements(count: number, born = 0, side?: Side): Place[] {
  return Array.from({ length: count }, () => element(born, side));
}

/** The places of a list that was replaced, and own pushes on it again; nothing where they cannot be told. */
function replacedPlaces(length: number, built: readonly UserWrite[]): Place[] | undefined {
  const places = elements(length);
  for (const { unit, n } of built) {
    if (unit.argv[0] === 'LINSERT') return undefined;
    if (unit.argv[0] === 'RPUSH') places.push(...unit.argv.slice(2).map(() => element(n, 'right')));
    if (unit.argv[0] === 'LPUSH') places.unshift(...unit.argv.slice(2).map(() => element(n, 'left')));
  }
  return places;
}

/** What a site remembers of lists, as its rules ask for it. @param restarted what was noted when it began, and what it had seen then */
export function listMemory(
  lists: Map<string, Places>,
  { decided, restarted }: { decided: number; restarted: { readonly n: number; readonly seen: number } },
): ListMemory {
  return {
    get: (key) => lists.get(key),
    isKnown: (key, seen) => {
      const known = lists.get(key);
      return known?.places !== undefined && known.upTo > seen;
    },
    isUnknown: (key, seen) => {
      const known = lists.get(key);
      return known !== undefined && known.places === undefined && known.upTo > seen;
    },
    set: (key, places) => void lists.set(key, { upTo: decided, places }),
    forget: (key) => void lists.delete(key),
    replaced: (key, length, built) =>
      void lists.set(key, { upTo: decided, places: replacedPlaces(length, built) }),
    isDoubtful: ({ n, seen }) => n <= restarted.n && seen < restarted.seen,
  };
}
