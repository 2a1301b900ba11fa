/**
 * Which local entries the peer has seen, of streams whose entries are added in the order of their arrival. A trim of the peer's must not
 * count entries that its sender had not seen. Only some entries are remembered, by sequence and ID. An entry between two of them counts
 * as seen when the older one is.
 */

import { BoundedMap } from '../async/bounded-map.js';
import { wholeId } from '../redis-commands/stream-id.js';
import type { PlacedKey } from '../redis-commands/placed-key.js';
import { nameOf } from '../protocol/payload.js';

/** Entries remembered of a stream. Beyond that every other one is let go of. */
const MAX_REMEMBERED = 1024;
/** Streams remembered. The one longest not written here goes first. */
const MAX_STREAMS = 1000;

interface Remembered {
  readonly id: string;
  readonly sequence: number;
}

export class LocalArrivals {
  readonly #streams = new BoundedMap<string, Remembered[]>(MAX_STREAMS);
  /** Nothing is known up to this sequence of streams that are not remembered. */
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
   * Where the local entries begin that a sender who has seen `seen` does not know, as `cap-stream.lua` takes it: an ID, behind `(` if the
   * sender knows that one. `-` where it may know none, `~` where it knows all that was added here since the process began.
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
