/**
 * Who wrote which key last. A server that comes back begins a new history, and nothing tells what was written to it before its stream
 * is read again; so if both sites come back, a key that differs is explained by either. What is remembered here says whose value is
 * the newer: when this site last wrote a key, and when the peer did, by the changes of its that were applied here.
 *
 * It is remembered by the process for as long as it lives, and kept in the local Redis, a chunk a second of what is new: a change that
 * was not kept is in the change list, as a rule, or is remembered by the peer's process.
 */

import { endianness } from 'node:os';
import { ClaimGeneration, ClaimTable, OWN, PEER, PLACE } from './claim-table.js';
import { NO_CLAIM, type Claim } from '../protocol/claim.js';
import { KeyHash } from '../protocol/key-hash.js';
import type { PlacedKey } from '../redis-commands/placed-key.js';
import type { Logger } from '../log/log.js';
import { runScript } from '../lua/scripts.js';
import { answerOf, type Redis } from '../redis/connect.js';
import type { KeyNames } from '../redis/keys.js';
import { Signal } from '../async/signal.js';

/** New claims are kept so often, and whenever there are so many. */
const KEEP_MS = 1000;
const FRESH_CLAIMS = 16_384;
/** Chunks that wait to be kept: what comes when there are so many is remembered by the process alone. */
const MAX_WAITING = 8;
/** Keys of chunks that go, said again at once. */
const MAX_AGAIN = 4 * FRESH_CLAIMS;
/** Bytes that are kept in Redis, and bytes fetched in one go. */
const MAX_BYTES = 16 * 1024 * 1024;
const READ_CHUNKS = 16;
/** A chunk: the moment its times count from, then four integers a key. */
const CHUNK_HEADER_BYTES = 8;
const ENTRY_BYTES = 16;

export interface ClaimsOptions {
  readonly local: Redis;
  readonly keys: KeyNames;
  readonly log: Logger;
}

export class Claims {
  readonly #options: ClaimsOptions;
  readonly #hash = new KeyHash();
  #nowMs = Date.now();
  readonly #known = new ClaimTable(this.#nowMs);
  /** Claims since the last chunk. */
  readonly #fresh = new ClaimGeneration(this.#nowMs, FRESH_CLAIMS);
  #waiting: Buffer[] = [];
  /** Bytes of each chunk that is kept, oldest first. */
  #kept: number[] = [];
  readonly #wake = new Signal();
  #loading: Promise<void> = Promise.resolve();

  constructor(options: ClaimsOptions) {
    this.#options = options;
  }

  /** From now on local writes are taken to be made at this time, in ms since 1970. */
  at(nowMs: number): void {
    this.#nowMs = nowMs;
  }

  /** The key with this hash was written here. */
  own(low: number, high: number): void {
    this.#fresh.note(low, high, 'own', this.#nowMs);
    if (this.#fresh.isFull) this.#turn();
  }

  /** The peer has written the key with this hash, at that time of its clock. */
  peer(low: number, high: number, ms: number): void {
    this.#fresh.note(low, high, 'peer', ms);
    if (this.#fresh.isFull) this.#turn();
  }

  /** When a key was last written, as far as is known. */
  of({ database, key }: PlacedKey): Claim {
    this.#hash.of(database, key, 0, key.length);
    const { low, high } = this.#hash;
    const known = this.#known.find(low, high);
    const fresh = this.#fresh.find(low, high) ?? NO_CLAIM;
    return { ownMs: Math.max(known.ownMs, fresh.ownMs), peerMs: Math.max(known.peerMs, fresh.peerMs) };
  }

  /** Resolves when what is kept in Redis is known to the process that is at work. */
  get ready(): Promise<void> {
    return this.#loading;
  }

  /** Takes over what is kept in Redis, unless it is what this process has left there. */
  async load(): Promise<void> {
    const { local, keys } = this.#options;
    const length = await answerOf(local, local.llen(keys.claims));
    if (this.#kept.length > 0 && this.#kept.length === length) return;
    this.#kept = [];
    for (let from = 0; ; from += READ_CHUNKS) {
      const chunks = await answerOf(local, local.lrangeBuffer(keys.claims, from, from + READ_CHUNKS - 1));
      for (const chunk of chunks) {
        this.#kept.push(chunk.length);
        forEachIn(chunk, (low, high, claim) => this.#known.note(low, high, { ...claim, nowMs: this.#nowMs }));
      }
      if (chunks.length < READ_CHUNKS) return;
    }
  }

  /** Keeps what is new until the signal aborts. Never rejects: what is not kept is remembered all the same. */
  async run(token: number, signal: AbortSignal): Promise<void> {
    this.#loading = this.load();
    await this.#loading.catch(() => {});
    while (!signal.aborted) {
      await this.#wake.wait(signal, KEEP_MS).catch(() => {});
      if (signal.aborted) return;
      await this.#keep(token).catch((err: unknown) =>
        this.#options.log.debug({ err }, 'who wrote what could not be kept'),
      );
    }
  }

  /** New claims become a chunk. */
  #turn(): void {
    const [fresh, nowMs] = [this.#fresh, this.#nowMs];
    if (fresh.count === 0) return;
    const isKept = this.#waiting.length < MAX_WAITING;
    this.#known.merge(fresh, nowMs);
    if (isKept) this.#waiting.push(chunkOf(fresh));
    if (fresh.isFull) this.#wake.raise();
    fresh.begin(nowMs);
  }

  async #keep(token: number): Promise<void> {
    const { local, keys } = this.#options;
    if (this.#waiting.length === 0 && this.#fresh.count === 0) return;
    const { removed, again } = await this.#makeRoom();
    this.#turn();
    const chunks = [...again, ...this.#waiting];
    this.#waiting = [];
    await runScript(local, 'keep-claims', [keys.claims, keys.fence], [token, removed, ...chunks]);
    this.#kept.splice(0, removed);
    for (const { length } of chunks) this.#kept.push(length);
  }

  /**
   * How many of the oldest chunks go. What is in them and was not said again since is said again, up to a bound.
   */
  async #makeRoom(): Promise<{ removed: number; again: Buffer[] }> {
    const { local, keys } = this.#options;
    const sum = (lengths: readonly number[]): number => lengths.reduce((all, length) => all + length, 0);
    // Claims that come during the look are kept the next time, but for those that fill a chunk.
    const coming = sum(this.#waiting.map(({ length }) => length)) + (FRESH_CLAIMS + MAX_AGAIN) * ENTRY_BYTES;
    let over = sum(this.#kept) + coming - MAX_BYTES;
    let removed = 0;
    for (; over > 0 && removed < this.#kept.length; removed++) over -= this.#kept[removed]!;
    if (removed === 0) return { removed, again: [] };
    const last = new ClaimGeneration(this.#nowMs, MAX_AGAIN);
    const chunks = await answerOf(local, local.lrangeBuffer(keys.claims, 0, removed - 1));
    for (const chunk of chunks)
      forEachIn(chunk, (low, high, claim) => {
        const { ownMs, peerMs } = this.#known.find(low, high);
        if (ownMs !== claim.ownMs || peerMs !== claim.peerMs || last.isFull) return;
        if (ownMs > 0) last.note(low, high, 'own', ownMs);
        if (peerMs > 0) last.note(low, high, 'peer', peerMs);
      });
    return { removed, again: last.count === 0 ? [] : [chunkOf(last)] };
  }
}

/** Claims as they are kept: integers with the lowest byte first, as every processor that Node runs on has them but one. */
function chunkOf({ baseMs, count, places }: ClaimGeneration): Buffer {
  const bytes = Buffer.allocUnsafeSlow(CHUNK_HEADER_BYTES + count * ENTRY_BYTES);
  bytes.writeDoubleLE(baseMs, 0);
  const entries = new Uint32Array(bytes.buffer, CHUNK_HEADER_BYTES);
  let at = 0;
  for (let place = 0; place < places.length; place += PLACE) {
    if (places[place + OWN] === 0 && places[place + PEER] === 0) continue;
    for (let i = 0; i < PLACE; i++) entries[at++] = places[place + i]!;
  }
  if (endianness() === 'BE') bytes.subarray(CHUNK_HEADER_BYTES).swap32();
  return bytes;
}

/** Reads a chunk. Bytes that another client has written give no claim that lies in the future. */
function forEachIn(chunk: Buffer, each: (low: number, high: number, claim: Claim) => void): void {
  if (chunk.length < CHUNK_HEADER_BYTES) return;
  const baseMs = chunk.readDoubleLE(0);
  if (!Number.isSafeInteger(baseMs)) return;
  const time = (at: number): number => {
    const distance = chunk.readUInt32LE(at);
    return distance === 0 ? 0 : baseMs + distance;
  };
  for (let at = CHUNK_HEADER_BYTES; at + ENTRY_BYTES <= chunk.length; at += ENTRY_BYTES) {
    const claim = { ownMs: time(at + 8), peerMs: time(at + 12) };
    each(chunk.readUInt32LE(at), chunk.readUInt32LE(at + 4), claim);
  }
}
