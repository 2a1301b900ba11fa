/**
 * The entries of streams that this site has added and the peer may not have seen, and the streams that it adds to or takes entries off.
 * Additions and removals of different entries commute, so they run without a look at the local commands. Afterwards their IDs tell
 * whether the entries were different.
 */

import { BoundedMap } from '../async/bounded-map.js';
import { streamOptions } from '../redis-commands/options/stream-options.js';
import { HIGHEST_ID, isIdBelow, wholeId } from '../redis-commands/stream-id.js';
import { ARRIVAL, parseArrival } from '../protocol/messages/arrival.js';
import type { PlacedKey } from '../redis-commands/placed-key.js';
import { LocalArrivals } from './local-arrivals.js';
import { UnseenMembers } from './unseen-members.js';
import { nameOf, type PayloadCommand } from '../protocol/payload.js';

/** Entries held of all streams. Beyond that the stream with most of them is let go of. */
const MAX_ENTRIES = 100_000;
/** Streams held. The one longest not written here goes first. */
const MAX_STREAMS = 1000;

/** A local addition. */
interface Entry {
  readonly id: string;
  readonly sequence: number;
}

interface Stream {
  /** By the ID, in the order of their sequences. */
  readonly entries: Map<string, Entry>;
  /** The local sequence since which it is held. */
  readonly since: number;
  /** Up to this sequence not all additions and removals are known. */
  blurredThrough: number;
  /** The highest ID of a local entry, and of one of the peer's that is applied or about to be. The highest ID of all stands for unknown. */
  own: string;
  theirs: string;
}

const LOWEST = '0-0';

export class LocalEntries {
  /** The same of streams whose entries are added in the order of their arrival. */
  readonly arrivals = new LocalArrivals();
  /** The same for members of sorted sets. */
  readonly members: UnseenMembers;
  readonly #letGo: () => number;
  readonly #streams = new BoundedMap<string, Stream>(MAX_STREAMS);
  #count = 0;
  /** Nothing is known up to this sequence of streams that are not held. */
  #forgottenThrough = 0;

  /** @param letGo the highest sequence that no change of the peer's is held against any more */
  constructor(letGo: () => number) {
    this.#letGo = letGo;
    this.members = new UnseenMembers(letGo);
  }

  /** Whether any stream was written here lately. */
  get isEmpty(): boolean {
    return this.#streams.size === 0 && this.#forgottenThrough === 0;
  }

  /** Whether this site is remembered to add to a stream, or to take entries off it. */
  has(key: PlacedKey): boolean {
    return this.#forgottenThrough > 0 || this.#streams.has(nameOf(key));
  }

  /** Whether this site first wrote the stream after `sequence`. */
  isNewSince(key: PlacedKey, sequence: number): boolean {
    return this.#forgottenThrough === 0 && (this.#streams.get(nameOf(key))?.since ?? 0) > sequence;
  }

  /** Notes a local command. */
  record(
    { name, args, database }: Pick<PayloadCommand, 'name' | 'args' | 'database'>,
    sequence: number,
  ): void {
    if (args.length < 3) return;
    if (name === ARRIVAL) {
      const { id, ...placed } = parseArrival(args);
      if (id !== '') this.arrivals.record(placed, id, sequence);
      return;
    }
    if (name === 'ZADD' || name === 'ZREM') {
      this.members.record({ name, args, database }, sequence);
      return;
    }
    const key = nameOf({ database, key: args[1]! });
    if (name === 'XADD') {
      const id = args[streamOptions(args).end];
      const stream = this.#streamOf(key, sequence);
      if (!id) return;
      const entry = { id: wholeId(id.toString('latin1')), sequence };
      if (isIdBelow(stream.own, entry.id)) stream.own = entry.id;
      this.#note(stream, entry);
    } else if (name === 'XTRIM' || name === 'XDEL') this.#streamOf(key, sequence);
  }

  /**
   * An entry of the peer's is about to be added.
   * @param id as the peer gave it: higher than all that it gave before
   */
  coming(key: PlacedKey, id: string): void {
    const stream = this.#streams.get(nameOf(key));
    if (stream && (stream.theirs === HIGHEST_ID || isIdBelow(stream.theirs, id))) stream.theirs = id;
  }

  /**
   * The entries of a stream that were added here unseen by the sender of a trim, and the highest ID known of any. An entry above that has
   * slipped in when the trim runs. `top` is empty where no entry of the peer's is known. Undefined where not all entries are known.
   */
  keptFrom(key: PlacedKey, seen: number): { ids: readonly string[]; top: string } | undefined {
    const stream = this.#streams.get(nameOf(key));
    if (!stream || stream.blurredThrough > seen) return undefined;
    const ids = [...stream.entries.values()].filter(({ sequence }) => sequence > seen).map(({ id }) => id);
    const { own, theirs } = stream;
    return { ids, top: theirs === HIGHEST_ID ? '' : isIdBelow(own, theirs) ? theirs : own };
  }

  /** Whether local entries that slipped in since the plan make a command come to something else than planned. */
  wasMisjudged(
    name: string,
    isTrim: boolean,
    { key, decided }: { key: PlacedKey; decided: number },
  ): boolean {
    // The plan did not know that this site writes the stream.
    if (/^X(ADD|CLAIM)$/.test(name) && this.isNewSince(key, decided)) return true;
    return isTrim && this.#hasMixed(key, decided);
  }

  /** Whether a late local entry has an ID below the peer's highest, or may have: the trim took it for the peer's. */
  #hasMixed(key: PlacedKey, decided: number): boolean {
    const stream = this.#streams.get(nameOf(key));
    if (!stream || stream.since > decided) return stream !== undefined || this.#forgottenThrough > decided;
    return this.#some(key, decided, ({ id }) => isIdBelow(id, stream.theirs));
  }

  /** Whether an entry that the peer removes was added here by a local change that the sender had not seen. */
  isUnseen(key: PlacedKey, id: string, seen: number): boolean {
    return this.#some(key, seen, (entry) => entry.id === id);
  }

  /** The same for all entries below an ID; for any at all without one. */
  isUnseenBelow(key: PlacedKey, id: string | undefined, seen: number): boolean {
    return this.#some(key, seen, (entry) => id === undefined || isIdBelow(entry.id, id));
  }

  #some(key: PlacedKey, seen: number, isMeant: (entry: Entry) => boolean): boolean {
    const stream = this.#streams.get(nameOf(key));
    if (!stream) return this.#forgottenThrough > seen;
    if (stream.blurredThrough > seen) return true;
    for (const entry of stream.entries.values()) if (entry.sequence > seen && isMeant(entry)) return true;
    return false;
  }

  #streamOf(name: string, since: number): Stream {
    const stream = this.#streams.get(name) ?? {
      entries: new Map(),
      since,
      blurredThrough: this.#forgottenThrough,
      own: LOWEST,
      theirs: HIGHEST_ID,
    };
    const forgotten = this.#streams.set(name, stream);
    if (forgotten) {
      const { entries, blurredThrough } = forgotten;
      const last = [...entries.values()].at(-1)?.sequence ?? 0;
      this.#forgottenThrough = Math.max(this.#forgottenThrough, blurredThrough, last);
      this.#count -= entries.size;
    }
    return stream;
  }

  #note({ entries }: Stream, entry: Entry): void {
    if (!entries.delete(entry.id)) this.#count++;
    entries.set(entry.id, entry);
    const letGo = this.#letGo();
    for (const [old, { sequence }] of entries) {
      if (sequence > letGo) break;
      entries.delete(old);
      this.#count--;
    }
    if (this.#count > MAX_ENTRIES) this.#blur();
  }

  #blur(): void {
    const streams = [...this.#streams.values()];
    const longest = streams.reduce((one, other) => (other.entries.size > one.entries.size ? other : one));
    longest.blurredThrough = [...longest.entries.values()].at(-1)!.sequence;
    this.#count -= longest.entries.size;
    longest.entries.clear();
  }
}
