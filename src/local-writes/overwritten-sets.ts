/**
 * Local `SET`s that an earlier one of the peer's took the place of: they slipped in between its plan and its transaction. The later one
 * stays at both sites (docs/internals/conflicts.md), and the peer takes it as it arrives there. Here it is put in its place again, before
 * anything else is planned on the key. So the peer need not be asked for it.
 *
 * What is written on such a key meanwhile is written on another value than the peer's. A `SET` or a removal makes that good by itself.
 * For anything else the peer is asked, by a request that stands before it.
 */

import type { BatchIndex } from '../protocol/batch-index.js';
import { KeyHash } from '../protocol/key-hash.js';
import { encodeNeed, LACK } from '../protocol/messages/state-request.js';
import type { PlacedKey } from '../redis-commands/placed-key.js';

/** A key whose local `SET` is to be put back. */
export interface OverwrittenSet {
  readonly key: PlacedKey;
  /** The `SET` is the last local write on the key up to this sequence; 0 where it is not known, and the peer is to be asked. */
  readonly through: number;
  /** When the peer's `SET` was made. */
  readonly theirTimestamp: number;
}

/** Keys remembered, and bytes of their names, which are kept in Redis too. For a further one the peer is asked. */
const MAX_KEYS = 1024;
const MAX_BYTES = 64 * 1024;
/** How long batches of other keys go before. Each time that values are put back nothing else may be on the way. */
const OVERDUE_MS = 50;

export class OverwrittenSets {
  readonly #hash = new KeyHash();
  /** By hash, the one that waits longest first. */
  readonly #sets = new Map<string, OverwrittenSet>();
  /** One half of each hash that was added since there was none: enough to tell of most keys that they are not concerned. */
  readonly #halves = new Set<number>();
  /** Since when there has been one. */
  #since = 0;
  #bytes = 0;
  /** Keys that the peer is asked for instead, by the sequence of the request: kept in Redis until that is in the change list. */
  #asked: { readonly key: PlacedKey; readonly sequence: number }[] = [];
  readonly #raised: { raise(): void };
  #returning: { readonly sequence: number; readonly decided: number } | undefined;

  /** @param raised told of each set that is to be put back */
  constructor(raised: { raise(): void }) {
    this.#raised = raised;
  }

  get isEmpty(): boolean {
    return this.#sets.size === 0;
  }

  /** Whether one has waited so long that nothing else is to go before it. */
  get isOverdue(): boolean {
    return !this.isEmpty && performance.now() - this.#since >= OVERDUE_MS;
  }

  /** Whether there may be one on the key with this hash. */
  mayBeAt({ low }: KeyHash): boolean {
    return !this.isEmpty && this.#halves.has(low);
  }

  /** Whether there may be one on a key of a batch. */
  mayBeOn(index: Pick<BatchIndex, 'forEachKey'>): boolean {
    let isOn = false;
    if (!this.isEmpty) index.forEachKey((hash) => (isOn ||= this.mayBeAt(hash)));
    return isOn;
  }

  /** Whether a further key is taken. */
  get hasRoom(): boolean {
    return this.#sets.size < MAX_KEYS && this.#bytes < MAX_BYTES;
  }

  /** @param key is kept, with its bytes */
  add(set: OverwrittenSet): void {
    const name = this.#nameOf(set.key);
    if (this.isEmpty) {
      this.#halves.clear();
      this.#since = performance.now();
    }
    this.#halves.add(this.#hash.low);
    if (!this.#sets.has(name)) this.#bytes += set.key.key.length;
    this.#sets.set(name, set);
    this.#raised.raise();
  }

  /** The set on a key; undefined where there is none. */
  on(key: PlacedKey): OverwrittenSet | undefined {
    return this.#sets.size === 0 ? undefined : this.#sets.get(this.#nameOf(key));
  }

  /** The keys, the one that waits longest first. */
  all(): OverwrittenSet[] {
    return [...this.#sets.values()];
  }

  /** The value of the key is made good, by what stands at this place of the stream. */
  settled(set: OverwrittenSet): void {
    if (this.on(set.key) !== set) return;
    this.#sets.delete(this.#nameOf(set.key));
    this.#bytes -= set.key.key.length;
  }

  /** The peer is asked by a request with this sequence. */
  asked(set: OverwrittenSet, sequence: number): void {
    this.settled(set);
    this.#asked.push({ key: set.key, sequence });
  }

  /** Values could not be put back: the peer is to be asked. */
  doubt(sets: readonly OverwrittenSet[]): void {
    for (const set of sets) if (this.on(set.key) === set) this.add({ ...set, through: 0 });
  }

  /** Values are about to be put back in a transaction with this marker. */
  returning(sequence: number, decided: number): void {
    this.#returning = { sequence, decided };
  }

  /** Whether a marker is that of such a transaction of this process. */
  isReturning(sequence: number, decided: number): boolean {
    return this.#returning?.sequence === sequence && this.#returning.decided === decided;
  }

  /**
   * The keys as they are kept in Redis beside the position: the bytes of a request for them as one hexadecimal number, or 0. (A process of
   * an older version takes a text among its numbers for a foreign one.) A process that begins again asks for them.
   * @param next the changes before it are in the change list then
   */
  kept(next: number): string {
    this.#asked = this.#asked.filter(({ sequence }) => sequence >= next);
    const keys = [...this.#sets.values(), ...this.#asked].map(({ key }) => key);
    if (keys.length === 0) return '0';
    return `0x${encodeNeed({ timestamp: 0, lack: LACK.localWrites, keys }).toString('hex')}`;
  }

  /** What an earlier process has kept: the peer is to be asked for all of it. */
  begin(keys: readonly PlacedKey[]): void {
    for (const key of keys) this.add({ key, through: 0, theirTimestamp: 0 });
  }

  #nameOf({ database, key }: PlacedKey): string {
    this.#hash.of(database, key, 0, key.length);
    return `${this.#hash.low},${this.#hash.high}`;
  }
}
