/** The index of the change list: for each batch its sequences and length, and as long as memory allows the batch itself. */

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
  /** The next change is in the list. */
  | 'whole'
  /** The next change is gone: the list was dropped, or the peer has lost changes that it had. */
  | 'hole'
  /** The peer has changes that this site knows nothing of. */
  | 'ahead';

/** Bytes of batches kept in memory. */
const CACHE_BYTES = 4 * 1024 * 1024;
/** Batches of which the numbers stand side by side in memory. */
const BLOCK = 4096;
/** Numbers of one batch, its length aside. */
const NUMBERS = 5;

interface Block {
  /** Epoch, first, last, previous, timestamp of one batch after another. */
  readonly numbers: Float64Array;
  readonly lengths: Uint32Array;
}

/**
 * A peer that is away for hours may leave millions of small batches in the list. Each takes 44 bytes here, an object 150 and more. The
 * garbage collector has nothing to go through.
 */
export class ChangeIndex {
  readonly #blocks: Block[] = [];
  /** Place of the oldest batch in the first block. */
  #head = 0;
  #size = 0;
  /** Batches ever taken off: a batch keeps its number while others go. */
  #shifted = 0;
  /** Batches in memory, by their number. */
  readonly #cache = new Map<number, Buffer>();
  /** Those of them that were read, and stay as long as there is room: what is decided may ask for them. The first read goes first. */
  readonly #read = new Set<number>();
  #cachedBytes = 0;
  readonly #maxCachedBytes: number;

  constructor(maxCachedBytes = CACHE_BYTES) {
    this.#maxCachedBytes = maxCachedBytes;
  }

  /** Batches in the list. */
  get size(): number {
    return this.#size;
  }

  /** The batch at a place of the list; undefined behind its end. */
  at(place: number): Entry | undefined {
    if (place < 0 || place >= this.#size) return undefined;
    const { numbers, lengths } = this.#blockOf(place);
    const slot = (this.#head + place) % BLOCK;
    const from = slot * NUMBERS;
    return {
      epoch: numbers[from]!,
      first: numbers[from + 1]!,
      last: numbers[from + 2]!,
      previous: numbers[from + 3]!,
      timestamp: numbers[from + 4]!,
      length: lengths[slot]!,
    };
  }

  /** The batches from a place on, so many and with so many bytes at the most, but one at least if there is one. */
  from(place: number, maxBatches: number, maxBytes: number): Entry[] {
    const found: Entry[] = [];
    for (let bytes = 0; found.length < maxBatches;) {
      const entry = this.at(place + found.length);
      bytes += entry?.length ?? 0;
      if (!entry || (found.length > 0 && bytes > maxBytes)) break;
      found.push(entry);
    }
    return found;
  }

  get newest(): Entry | undefined {
    return this.at(this.#size - 1);
  }

  /** The bytes of a batch, if they are in memory. */
  bytesAt(place: number): Buffer | undefined {
    return this.#cache.get(this.#shifted + place);
  }

  /** Place of the first batch that ends at or after `sequence`; {@link size} when there is none. */
  find(sequence: number): number {
    let low = 0;
    let high = this.#size;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#lastAt(middle) >= sequence) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  /** Batches and bytes from the one that holds `sequence` on. */
  since(sequence: number): { batches: number; bytes: number } {
    const from = this.find(sequence);
    let bytes = 0;
    for (let place = from; place < this.size; place++) bytes += this.at(place)!.length;
    return { batches: this.size - from, bytes };
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
    const place = this.#size;
    if ((this.#head + place) % BLOCK === 0)
      this.#blocks.push({ numbers: new Float64Array(BLOCK * NUMBERS), lengths: new Uint32Array(BLOCK) });
    this.#size++;
    this.#write(place, entry);
    if (bytes === undefined) return;
    for (const number of this.#read) {
      if (this.#cachedBytes + entry.length <= this.#maxCachedBytes) break;
      this.#drop(number);
    }
    if (this.#cachedBytes + entry.length > this.#maxCachedBytes) return;
    this.#cachedBytes += entry.length;
    this.#cache.set(this.#shifted + place, bytes);
  }

  /** It is not known what came before the oldest batch but what its own number says. */
  forgetPast(): void {
    const oldest = this.at(0);
    if (oldest) this.#write(0, { ...oldest, previous: oldest.first - 1 });
  }

  /** A batch was read: its bytes may go when there is no room. */
  read(place: number): void {
    const number = this.#shifted + place;
    if (this.#cache.has(number)) this.#read.add(number);
  }

  #drop(number: number): void {
    this.#cachedBytes -= this.#cache.get(number)?.length ?? 0;
    this.#cache.delete(number);
    this.#read.delete(number);
  }

  /** Takes the oldest batches off. */
  shift(batches: number): void {
    for (let place = 0; place < batches; place++) this.#drop(this.#shifted + place);
    this.#shifted += batches;
    this.#size -= batches;
    this.#head += batches;
    const emptied = Math.floor(this.#head / BLOCK);
    this.#blocks.splice(0, emptied);
    this.#head -= emptied * BLOCK;
  }

  clear(): void {
    this.shift(this.#size);
  }

  #write(place: number, entry: Entry): void {
    const { numbers, lengths } = this.#blockOf(place);
    const slot = (this.#head + place) % BLOCK;
    numbers.set([entry.epoch, entry.first, entry.last, entry.previous, entry.timestamp], slot * NUMBERS);
    lengths[slot] = entry.length;
  }

  #blockOf(place: number): Block {
    return this.#blocks[Math.floor((this.#head + place) / BLOCK)]!;
  }

  #lastAt(place: number): number {
    return this.#blockOf(place).numbers[((this.#head + place) % BLOCK) * NUMBERS + 2]!;
  }
}
