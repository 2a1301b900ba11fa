/**
 * What the peer's changes say of the deadlines of fields, from the plan of a batch until the stream says what came of it here. The
 * stream never says anything of a field that is not here. A note on such a field holds until the peer has seen all local writes of
 * that time.
 */

/** Notes kept on fields that are not here. */
const MAX_MISSING = 16_384;

/** Of a field: the deadline it has, or had until it was removed. */
export interface KnownField {
  readonly at: number | 'none';
  readonly isRemoved: boolean;
}

interface Note extends KnownField {
  readonly hash: number;
  readonly field: string;
  /** Last sequence of the batch that says it. */
  readonly batch: number;
  /** The note it replaces, needed when the batch is planned again before it has come round. */
  before: Note | undefined;
}

export class ComingFields {
  /** By the hash of the key. */
  readonly #notes = new Map<number, Map<string, Note>>();
  #inFlight: Note[] = [];
  /** In order, with the last local sequence that the peer has to see. */
  readonly #missing: { readonly note: Note; readonly through: number }[] = [];
  /** Last sequence of the batch that has come round, or does so now. */
  #round = 0;

  get isEmpty(): boolean {
    return this.#notes.size === 0;
  }

  has(hash: number): boolean {
    return this.#notes.has(hash);
  }

  /** What was said of a field last. */
  of(hash: number, field: string): KnownField | undefined {
    return this.#notes.get(hash)?.get(field);
  }

  fieldsOf(hash: number): Iterable<string> {
    return this.#notes.get(hash)?.keys() ?? [];
  }

  /** A batch is planned, perhaps again. @param seen the last local sequence that its sender had seen */
  begin(batch: number, seen: number): void {
    const again = this.#inFlight.filter((note) => note.batch === batch);
    if (again.length > 0) this.#inFlight = this.#inFlight.filter((note) => note.batch !== batch);
    for (const note of again.toReversed()) if (this.#isLast(note)) this.#replace(note, note.before);
    const known = this.#missing.findIndex(({ through }) => through > seen);
    for (const { note } of this.#missing.splice(0, known < 0 ? this.#missing.length : known)) this.#end(note);
  }

  say(hash: number, field: string, known: KnownField, batch: number): void {
    const last = this.#notes.get(hash)?.get(field);
    const before = last?.batch === batch ? last.before : last;
    const note = { ...known, hash, field, batch, before };
    this.#replace(note, note);
    this.#inFlight.push(note);
  }

  /** What follows in the stream is of this batch. */
  comingRound(batch: number): void {
    this.#round = batch;
  }

  /** The batch has come round. @param through the local sequence of that @returns whether something was forgotten for want of room */
  cameRound(through: number): boolean {
    if (this.#inFlight.length === 0) return false;
    const round = this.#inFlight.filter(({ batch }) => batch <= this.#round);
    this.#inFlight = this.#inFlight.filter(({ batch }) => batch > this.#round);
    for (const note of round) {
      note.before = undefined;
      if (!this.#isLast(note)) continue;
      // The stream tells by itself of a field that has gone, or has no deadline.
      if (note.isRemoved || note.at === 'none') this.#end(note);
      else this.#missing.push({ note, through });
    }
    const over = this.#missing.splice(0, Math.max(0, this.#missing.length - MAX_MISSING));
    for (const { note } of over) this.#end(note);
    return over.length > 0;
  }

  /** The stream says what stands here: of a field, or of all of a hash. */
  observed(hash: number, field?: string): void {
    if (this.#notes.size === 0) return;
    const notes = this.#notes.get(hash);
    for (const note of (field === undefined ? notes?.values() : [notes?.get(field)]) ?? [])
      if (note && note.batch <= this.#round) this.#replace(note, undefined);
  }

  /** The keys are others now. */
  forget(): void {
    for (const hash of this.#notes.keys()) this.observed(hash);
  }

  #isLast(note: Note): boolean {
    return this.#notes.get(note.hash)?.get(note.field) === note;
  }

  #end(note: Note): void {
    if (this.#isLast(note)) this.#replace(note, undefined);
  }

  #replace({ hash, field }: Note, by: Note | undefined): void {
    let notes = this.#notes.get(hash);
    if (by) {
      if (!notes) this.#notes.set(hash, (notes = new Map()));
      notes.set(field, by);
    } else if (notes?.delete(field) === true && notes.size === 0) this.#notes.delete(hash);
  }
}
