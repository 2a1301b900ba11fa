import type { KnownPlaces } from './rules/list-places.js';

/**
 * What is remembered of lists between two meetings: their places, for as long as there are own writes in them that the peer has
 * not seen. Nothing of it outlives the process: an own list write from before, with anything applied since it was made, is doubted,
 * and the peer is asked.
 */
export class ListMemory {
  readonly #appliedAtStart: number;
  readonly #known = new Map<string, KnownPlaces>();

  /** @param appliedAtStart the newest change of the peer's that was applied when the process began */
  constructor(appliedAtStart: number) {
    this.#appliedAtStart = appliedAtStart;
  }

  /** Whether an own write may have met others that are forgotten. */
  isDoubtful({ seen }: { readonly seen: number }): boolean {
    return seen < this.#appliedAtStart;
  }

  /** What is known of a list, unless the sender of a change has seen all own writes that made it so. */
  get(name: string, seen: number): KnownPlaces | undefined {
    const known = this.#known.get(name);
    return known && known.upTo > seen ? known : undefined;
  }

  /** Takes over what a decision came to, once it is applied. */
  commit(places: ReadonlyMap<string, KnownPlaces | undefined>): void {
    for (const [name, known] of places) {
      if (known) this.#known.set(name, known);
      else this.#known.delete(name);
    }
  }

  /** The peer has seen the own writes up to `seen`: what only they needed is let go. */
  advance(seen: number): void {
    for (const [name, { upTo }] of this.#known) if (upTo <= seen) this.#known.delete(name);
  }
}
