import type { UserWrite } from './write.js';

/**
 * One place in a list as the receiver sees it: an element that is there, or the trace of one that is not.
 * `born` is the own sequence that inserted it (0: the sender had it), `gone` the own sequence that took it off (0: it is there).
 */
export interface Place {
  readonly born: number;
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

/** What the site remembers of lists. Written in the same atomic step as the effects, or else doubted after a restart. */
export interface ListMemory {
  get(key: string): Places | undefined;
  /** `undefined` places: unknown. */
  set(key: string, places: Place[] | undefined): void;
  /** Whether the places are not known to a sender that had seen so much: this site has asked, or had to guess. */
  isUnknown(key: string, seen: number): boolean;
  forget(key: string): void;
  /** A `STATE` has replaced the key: a list of so many elements, on which these own pushes are run again. */
  replaced(key: string, length: number, built: readonly UserWrite[]): void;
  /** Whether this own write may have met others whose places were forgotten. */
  isDoubtful(write: { readonly n: number; readonly seen: number }): boolean;
}

export function element(born = 0): Place {
  return { born, gone: 0, isHole: false, set: undefined };
}

export function hole(gone: number): Place {
  return { born: 0, gone, isHole: true, set: undefined };
}

export function elements(count: number, born = 0): Place[] {
  return Array.from({ length: count }, () => element(born));
}
