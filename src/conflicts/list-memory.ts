import type { KnownPlaces } from './rules/list-places.js';

/** Lists remembered, and places of all of them. Of more, the list that is longest untouched is forgotten. */
const MAX_LISTS = 10_000;
const MAX_PLACES = 100_000;

/**
 * The places of lists, kept from batch to batch as long as the lists have local writes that the peer has not seen. Places may be
 * forgotten, with the process or at a bound. A local list write from before that may have met changes that are forgotten: it is
 * doubted, and the peer is asked. So that a process that begins need not doubt every local write, the newest one that any places were
 * about is kept in Redis.
 */
export class ListMemory {
  /** The newest change of the peer's applied when something was forgotten. */
  #forgottenAt: number;
  /** The newest local write that may have met what was forgotten. */
  #doubtedThrough = 0;
  /** The newest local write that places were ever about; undefined: not known, before a process begins that does not know. */
  #notedThrough: number | undefined;
  /** The longest untouched first. */
  readonly #known = new Map<string, KnownPlaces>();
  #places = 0;

  /**
   * @param appliedAtStart the newest change of the peer's that was applied when the process began
   * @param notedAtStart {@link notedThrough} of the process before, as Redis has it; undefined: not known
   */
  constructor(appliedAtStart: number, notedAtStart: number | undefined) {
    this.#forgottenAt = appliedAtStart;
    this.#notedThrough = notedAtStart;
    this.#doubtedThrough = notedAtStart ?? 0;
  }

  /** Local writes up to here may have met others that are forgotten. */
  get doubtedThrough(): number {
    return this.#doubtedThrough;
  }

  /**
   * The newest local write that places were ever about: a later one stands where it was made. It is kept in Redis, in one step with what
   * made it so. Undefined as long as it is not known.
   */
  get notedThrough(): number | undefined {
    return this.#notedThrough;
  }

  /** Local writes up to a sequence were made before anything is applied. If it is not known what they have met, all are doubted. */
  beginBehind(sequence: number): void {
    if (this.#notedThrough !== undefined) return;
    this.#notedThrough = this.#forgottenAt > 0 ? sequence : 0;
    this.#doubtedThrough = Math.max(this.#doubtedThrough, this.#notedThrough);
  }

  /** Places are about to be remembered, with a plan that is sent. */
  note(places: ReadonlyMap<string, KnownPlaces | undefined>): void {
    for (const known of places.values()) if (known) this.#note(known.upTo);
  }

  /** The places of local writes of a list up to a sequence are unknown by now. */
  doubt(name: string, upTo: number): void {
    const before = this.#known.get(name);
    this.#note(upTo);
    this.#forget(name);
    this.#known.set(name, { upTo: Math.max(upTo, before?.upTo ?? 0), seen: 0, places: undefined });
  }

  /** Whether a local write may have met others that are forgotten. @param write with what its site had seen of the peer's changes */
  isDoubtful({ sequence, seen }: { readonly sequence: number; readonly seen: number }): boolean {
    return sequence <= this.#doubtedThrough && seen < this.#forgottenAt;
  }

  /** The places of a list, unless the sender of a change has seen all local writes that made them so. */
  get(name: string, seen: number): KnownPlaces | undefined {
    const known = this.#known.get(name);
    return known && known.upTo > seen ? known : undefined;
  }

  /** Takes over the places that a plan came to, once it is applied. @param options the sequence applied with it, and the last local one it rests on */
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

  /** The peer has seen the local writes up to `seen`: places that only they needed are forgotten. */
  advance(seen: number): void {
    for (const [name, { upTo }] of this.#known) if (upTo <= seen) this.#forget(name);
  }

  #note(upTo: number): void {
    if (this.#notedThrough !== undefined) this.#notedThrough = Math.max(this.#notedThrough, upTo);
  }

  #forget(name: string): void {
    this.#places -= this.#known.get(name)?.places?.length ?? 0;
    this.#known.delete(name);
  }
}
