/** What is where in the change list: for each batch its sequences and length, and, as long as memory allows, the batch itself. */

/** A batch in the change list. */
export interface Entry {
  readonly epoch: number;
  readonly first: number;
  readonly last: number;
  /** The sequence right before `first` in the history; less than `first - 1` only where an epoch begins. */
  readonly previous: number;
  readonly length: number;
  readonly timestamp: number;
}

/** How what the peer has received fits to the history of this site. */
export type Continuity =
  /** What follows is here. */
  | 'whole'
  /** What follows is gone: the list was dropped, or the peer has lost what it had. */
  | 'hole'
  /** The peer has changes that this site knows nothing of. */
  | 'ahead';

interface Cached extends Entry {
  /** Until it was read, or when memory was short. */
  bytes: Buffer | undefined;
}

/** Bytes of batches kept in memory. */
const CACHE_BYTES = 4 * 1024 * 1024;
/** Places in front of the head that may stay empty. */
const SPARE_PLACES = 4096;

export class ChangeIndex {
  readonly #entries: Cached[] = [];
  #head = 0;
  #cachedBytes = 0;

  /** Batches in the list. */
  get size(): number {
    return this.#entries.length - this.#head;
  }

  /** The batch at a place of the list; undefined behind its end. */
  at(place: number): Entry | undefined {
    return this.#entries[this.#head + place];
  }

  get newest(): Entry | undefined {
    return this.size > 0 ? this.#entries.at(-1) : undefined;
  }

  /** The bytes of a batch, if they are in memory. */
  bytesAt(place: number): Buffer | undefined {
    return this.#entries[this.#head + place]?.bytes;
  }

  /** Place of the first batch that ends at or after `sequence`; {@link size} when there is none. */
  find(sequence: number): number {
    let low = this.#head;
    let high = this.#entries.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#entries[middle]!.last >= sequence) high = middle;
      else low = middle + 1;
    }
    return low - this.#head;
  }

  /** How a peer that has received all up to `received` goes on; `last` is the newest sequence there is, or ever was. */
  continuity(received: number, last: number): Continuity {
    const entry = this.at(this.find(received + 1));
    const previous = entry?.previous ?? last;
    if (previous > received) return 'hole';
    return previous < received && (entry === undefined || received < entry.first) ? 'ahead' : 'whole';
  }

  /** A batch was appended, or found at the end of the list. */
  push(entry: Entry, bytes?: Buffer): void {
    const fits = bytes !== undefined && this.#cachedBytes + entry.length <= CACHE_BYTES;
    if (fits) this.#cachedBytes += entry.length;
    this.#entries.push({ ...entry, bytes: fits ? bytes : undefined });
  }

  /** It is not known what came before the oldest batch but what its own number says. */
  forgetPast(): void {
    const oldest = this.#entries[this.#head];
    if (oldest) this.#entries[this.#head] = { ...oldest, previous: oldest.first - 1 };
  }

  /** The bytes of a batch are needed no more, or not soon. */
  release(place: number): void {
    const entry = this.#entries[this.#head + place];
    if (entry?.bytes === undefined) return;
    this.#cachedBytes -= entry.length;
    entry.bytes = undefined;
  }

  /** Takes the oldest batches off. */
  shift(batches: number): void {
    for (let place = 0; place < batches; place++) this.release(place);
    this.#head += batches;
    if (this.#head <= SPARE_PLACES && this.#head < this.#entries.length) return;
    this.#entries.splice(0, this.#head);
    this.#head = 0;
  }

  clear(): void {
    this.#entries.length = 0;
    this.#head = 0;
    this.#cachedBytes = 0;
  }
}
