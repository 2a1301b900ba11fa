/**
 * Which local entries the peer has seen of streams whose entries are added in the order of their arrival: a trim of the peer's counts
 * no entry that was not there. What is remembered are some of the entries, by sequence and ID: of what stands between two of them
 * the older one tells.
 */

import { BoundedMap } from '../async/bounded-map.js';
import { wholeId } from '../redis-commands/stream-id.js';
import type { PlacedKey } from '../redis-commands/placed-key.js';
import { nameOf } from '../protocol/payload.js';

/** Entries remembered of a stream; beyond that every other one is let go of. */
const MAX_REMEMBERED = 1024;
/** Streams remembered, the one longest not written here goes first. */
const MAX_STREAMS = 1000;

interface Remembered {
  readonly id: string;
  readonly sequence: number;
}

export class LocalArrivals {
  readonly #streams = new BoundedMap<string, Remembered[]>(MAX_STREAMS);
  /** Of streams that are not remembered nothing is known up to this sequence. */
  #forgottenThrough = 0;

  /** Notes a local addition. */
  record(key: PlacedKey, id: string, sequence: number): void {
    const name = nameOf(key);
    const entries = this.#streams.get(name) ?? [];
    entries.push({ id: wholeId(id), sequence });
    const isFull = entries.length > MAX_REMEMBERED;
    const forgotten = this.#streams.set(name, isFull ? everyOther(entries) : entries);
    if (forgotten) this.#forgottenThrough = Math.max(this.#forgottenThrough, forgotten.at(-1)!.sequence);
  }

  /**
   * Where local entries begin that a sender who has seen `seen` does not know, as `cap-stream.lua` takes it: an ID, behind `(` if that one is
   * known; `-` where all may be unknown, `~` where nothing was added here since the process began, or the peer knows it.
   */
  unseenFrom(key: PlacedKey, seen: number): string {
    const entries = this.#streams.get(nameOf(key));
    if (!entries) return this.#forgottenThrough > seen ? '-' : '~';
    const at = entries.findLastIndex(({ sequence }) => sequence <= seen);
    if (at > 0) entries.splice(0, at);
    const [first] = entries as [Remembered];
    return at < 0 ? first.id : `(${first.id}`;
  }
}

/** With the newest one. */
function everyOther(entries: readonly Remembered[]): Remembered[] {
  return entries.filter((_, at) => at % 2 === 0 || at === entries.length - 1);
}
