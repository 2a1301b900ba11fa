/**
 * What the walk over a batch (`check-batch.ts`) notes of each command, in numbers: where its bytes begin, its keys as hashes, and what it
 * does to them. Whoever asks about the batch later reads this, and takes only those commands apart that it must look at. It stays until
 * the applied batch has come round, so it holds no object for a command. An array for each batch would cost more than the walk over a
 * small one: many share a chunk.
 */

import { KeyHash } from './key-hash.js';

/** No command is shorter: `*1`, and one argument without bytes. */
const FEWEST_BYTES = 10;
/** Numbers of a chunk: more, where one batch needs more. */
const CHUNK_NUMBERS = 64 * 1024;

/** Numbers for each command: where it begins; how many keys there are up to and with its own, twice, and 1 more if it is plain. */
const OF_COMMAND = 2;
/** Numbers for each key: both halves of its hash, and 1 if what is done builds on what is there. */
const OF_KEY = 3;

/** Where the indexes of batches lie, one behind the other. Only the one that was begun last may grow. */
export class IndexSpace {
  #chunk = new Uint32Array(CHUNK_NUMBERS);
  #used = 0;

  /** Room for some numbers. @returns the chunk, and where the room begins in it */
  begin(numbers: number): { readonly chunk: Uint32Array; readonly start: number } {
    if (this.#used + numbers > this.#chunk.length) {
      this.#chunk = new Uint32Array(Math.max(CHUNK_NUMBERS, numbers));
      this.#used = 0;
    }
    const start = this.#used;
    this.#used += numbers;
    return { chunk: this.#chunk, start };
  }

  /** Room behind the numbers from `start` on, in another chunk with these if need be. */
  extend(start: number, numbers: number): { readonly chunk: Uint32Array; readonly start: number } {
    const before = this.#used - start;
    if (this.#used + numbers <= this.#chunk.length) {
      this.#used += numbers;
      return { chunk: this.#chunk, start };
    }
    const full = this.#chunk;
    this.#chunk = new Uint32Array(Math.max(CHUNK_NUMBERS, 2 * (before + numbers)));
    this.#chunk.set(full.subarray(start, this.#used));
    this.#used = before + numbers;
    return { chunk: this.#chunk, start: 0 };
  }
}

export class BatchIndex {
  readonly #space: IndexSpace;
  #chunk: Uint32Array;
  /** Where the commands begin in the chunk; the keys follow. */
  #start: number;
  readonly #room: number;
  #keyRoom = 0;
  #count = 0;
  #keys = 0;
  /** By key; made when the first one is given. */
  #deadlines: number[] | undefined;
  /** Pairs: the command that selects a database, and that database. */
  #selects: number[] | undefined;
  readonly #hash = new KeyHash();

  /** @param commands as many as the batch says it has: its payload has room for no more than fit */
  constructor(space: IndexSpace, commands: number, payloadBytes: number) {
    this.#space = space;
    this.#room = Math.min(commands, Math.ceil(payloadBytes / FEWEST_BYTES));
    this.#keyRoom = this.#room;
    const { chunk, start } = space.begin((OF_COMMAND + OF_KEY) * this.#room);
    this.#chunk = chunk;
    this.#start = start;
  }

  /** How many commands there are, each `SELECT` included. */
  get count(): number {
    return this.#count;
  }

  /** Adds a command. @param isPlain whether it only writes one key, without any option */
  add(byte: number, isPlain: boolean): void {
    const command = this.#count++;
    // A batch that says too little of itself is refused behind the walk.
    if (command >= this.#room) return;
    const at = this.#start + OF_COMMAND * command;
    this.#chunk[at] = byte;
    this.#chunk[at + 1] = 2 * this.#keys + (isPlain ? 1 : 0);
  }

  /**
   * Adds a key of the command added last.
   * @param isBuild whether the command builds on what is there
   * @param given the deadline that it gives the key, in ms since 1970
   */
  addKey({ low, high }: KeyHash, isBuild: boolean, given: number | 'kept' | undefined): void {
    if (this.#count > this.#room) return;
    const key = this.#keys++;
    if (key === this.#keyRoom) this.#grow();
    const at = this.#keyAt(key);
    this.#chunk[at] = low;
    this.#chunk[at + 1] = high;
    this.#chunk[at + 2] = isBuild ? 1 : 0;
    this.#chunk[this.#start + OF_COMMAND * this.#count - 1]! += 2;
    if (typeof given === 'number' && given > 0) (this.#deadlines ??= [])[key] = given;
  }

  /** The command added last selects a database, for itself and those behind it. */
  addSelect(database: number): void {
    (this.#selects ??= []).push(this.#count - 1, database);
  }

  /** Whether a command only writes one key, without any option, and that key is not `met`. */
  isPlain(index: number, met: (hash: KeyHash) => boolean): boolean {
    const told = this.#chunk[this.#start + OF_COMMAND * index + 1]!;
    return (told & 1) === 1 && !met(this.#hashOf((told >>> 1) - 1));
  }

  /**
   * Calls `each` with the hash of every key of the batch, read or written, whether what is done builds on what is there, and what deadline
   * it gives the key, in ms since 1970, or 0. The hash is the same object each time.
   */
  forEachKey(each: (hash: KeyHash, isBuild: boolean, deadline: number) => void): void {
    for (let key = 0; key < this.#keys; key++)
      each(this.#hashOf(key), this.#chunk[this.#keyAt(key) + 2] === 1, this.#deadlines?.[key] ?? 0);
  }

  /** Where the bytes of a command begin in the payload; where they end is where the next one's do. */
  startOf(index: number): number {
    return this.#chunk[this.#start + OF_COMMAND * index]!;
  }

  /** The database that is selected for a command. */
  databaseOf(index: number): number {
    const selects = this.#selects ?? [];
    let [low, high] = [0, selects.length / 2];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (selects[2 * middle]! <= index) low = middle + 1;
      else high = middle;
    }
    return low === 0 ? 0 : selects[2 * low - 1]!;
  }

  #keyAt(key: number): number {
    return this.#start + OF_COMMAND * this.#room + OF_KEY * key;
  }

  #hashOf(key: number): KeyHash {
    const at = this.#keyAt(key);
    this.#hash.low = this.#chunk[at]!;
    this.#hash.high = this.#chunk[at + 1]!;
    return this.#hash;
  }

  #grow(): void {
    const more = this.#keyRoom + 1;
    const { chunk, start } = this.#space.extend(this.#start, OF_KEY * more);
    this.#keyRoom += more;
    this.#chunk = chunk;
    this.#start = start;
  }
}
