import type { KnownPlaces } from './rules/list-places.js';

/** Lists remembered, and places of all of them: with more, what is longest untouched is forgotten. */
const MAX_LISTS = 10_000;
const MAX_PLACES = 100_000;

/**
 * What is remembered of lists between two meetings: their places, for as long as there are own writes in them that the peer has
 * not seen. What is forgotten (with the process, or at a bound) is doubted: of an own list write from before, with anything applied
 * since it was made, it is not known what it met, and the peer is asked.
 */
export class ListMemory {
  /** The newest change of the peer's applied when something was forgotten. */
  #forgottenAt: number;
  /** The newest own write made when something was forgotten. */
  #doubtedThrough = 0;
  /** The longest untouched first. */
  readonly #known = new Map<string, KnownPlaces>();
  #places = 0;

  /** @param appliedAtStart the newest change of the peer's that was applied when the process began */
  constructor(appliedAtStart: number) {
    this.#forgottenAt = appliedAtStart;
  }

  /** Own writes up to here may have met others that are forgotten. */
  get doubtedThrough(): number {
    return this.#doubtedThrough;
  }

  /** Own writes up to a sequence were made when nothing was remembered yet. */
  beginBehind(sequence: number): void {
    if (this.#forgottenAt > 0) this.#doubtedThrough = Math.max(this.#doubtedThrough, sequence);
  }

  /** Where the own writes of a list up to a sequence stand is not known any more. */
  doubt(name: string, upTo: number): void {
    const before = this.#known.get(name);
    this.#forget(name);
    this.#known.set(name, { upTo: Math.max(upTo, before?.upTo ?? 0), seen: 0, places: undefined });
  }

  /** Whether an own write may have met others that are forgotten. */
  isDoubtful({ seen }: { readonly seen: number }): boolean {
    return seen < this.#forgottenAt;
  }

  /** What is known of a list, unless the sender of a change has seen all own writes that made it so. */
  get(name: string, seen: number): KnownPlaces | undefined {
    const known = this.#known.get(name);
    return known && known.upTo > seen ? known : undefined;
  }

  /** Takes over what a decision came to, once it is applied. @param options the sequence applied with it, and the last own one it took into account */
  commit(
    places: ReadonlyMap<string, KnownPlaces | undefined>,
    { applied, decided }: { readonly applied: number; readonly decided: number },
  ): void {
    for (const [name, known] of places) {
      this.#forget(name);
      if (!known) continue;
      this.#known.set(name, known);
      this.#places += known.places?.length ?? 0;
    }
    while (this.#known.size > MAX_LISTS || (this.#places > MAX_PLACES && this.#known.size > 0)) {
      this.#forget(this.#known.keys().next().value!);
      this.#forgottenAt = applied;
      this.#doubtedThrough = decided;
    }
  }

  /** The peer has seen the own writes up to `seen`: what only they needed is let go. */
  advance(seen: number): void {
    for (const [name, { upTo }] of this.#known) if (upTo <= seen) this.#forget(name);
  }

  #forget(name: string): void {
    this.#places -= this.#known.get(name)?.places?.length ?? 0;
    this.#known.delete(name);
  }
}
