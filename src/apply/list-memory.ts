import type { KnownPlaces } from './rules/list-places.js';

/**
 * What is remembered of lists between two meetings: their places, for as long as there are own writes in them that the peer has
 * not seen. Nothing of it outlives the process: after a restart, own list writes from before are doubted, and the peer is asked.
 */
export class ListMemory {
  /** Own writes up to this sequence may have met others that are forgotten. */
  readonly doubtedUpTo: number;
  readonly #known = new Map<string, KnownPlaces>();

  constructor(doubtedUpTo: number) {
    this.doubtedUpTo = doubtedUpTo;
  }

  /** What is known of a list, unless the sender of a change has seen all own writes that made it so. */
  get(name: string, seen: number): KnownPlaces | undefined {
    const known = this.#known.get(name);
    return known && known.upTo > seen ? known : undefined;
  }

  /** Takes over what a decision came to, once it is applied. */
  commit(places: ReadonlyMap<string, KnownPlaces>): void {
    for (const [name, known] of places) this.#known.set(name, known);
  }

  /** The peer has seen the own writes up to `seen`: what only they needed is let go. */
  advance(seen: number): void {
    for (const [name, { upTo }] of this.#known) if (upTo <= seen) this.#known.delete(name);
  }
}
