/**
 * Finds the local writes that slipped in between a decision and its application. The applied marker says up to which local
 * sequence was decided; what stands in the stream between that and the marker, on a key of the applied batch, is late. Both
 * are in the stream, so nothing is missed, whatever the timing. For the keys found the peer is asked for its state: it meets
 * both changes by the ordinary rules, and what it sends settles the key here as well.
 *
 * The same goes for a key that expires at the very moment at which a change of the peer's touches it, or that is given an expiry
 * that is past here already: the server removes it inside of the applied transaction, where no other local write can stand. At the
 * peer the key may live on, with a later expiry.
 */

import { lastSequence, type Batch } from '../change/batch.js';
import { CommandNames } from '../change/command-names.js';
import { commutingWith, effectCode } from '../change/effect-code.js';
import { KeyHash } from '../change/key-hash.js';
import { NEED, parseState, STATE, type PlacedKey } from '../change/special.js';
import {
  forEachKey,
  keysOf,
  nameOf,
  payloadCommands,
  recordedEffectOf,
  type ExtraCommands,
  type PayloadCommand,
} from './payload.js';
import { isDerived } from './command-kinds.js';
import type { Window } from './window.js';

const SET = effectCode('set');

/** Keys remembered as asked for. */
const MAX_ASKED = 100_000;
/** Bytes of decided batches that have not come round in the stream. */
const MAX_WAITING_BYTES = 16 * 1024 * 1024;

/** A batch on its way into the database, and what its rules have come to on some of its keys, by database and name. */
interface Decided {
  readonly batch: Batch;
  /** Those that are removed, whole or in part. */
  readonly removed: ReadonlySet<string>;
  /** Those that the peer is being asked for in any case, and what is to be told of a late write on them. */
  readonly awaited: ReadonlyMap<string, () => void>;
}

/** What is under way between a marker and the end of its transaction. */
interface Echo {
  /** Running number in the window of the first local write after the decision. */
  readonly from: number;
  /** Whether the window has let go of writes after the decision, so that any key may be late. */
  readonly isBlind: boolean;
  readonly found: Map<string, PlacedKey>;
}

export class LateWrites {
  readonly #window: Window;
  readonly #ownPrefix: string;
  readonly #extra: ExtraCommands | undefined;
  readonly #names: CommandNames;
  readonly #hash = new KeyHash();
  /** Decided batches whose marker has not come round, by last sequence. */
  readonly #waiting = new Map<number, Decided>();
  #waitingBytes = 0;
  /** Keys asked for, by the sequence of the request: until the peer has seen that, its answer is on the way. */
  readonly #asked = new Map<string, number>();
  #echo: Echo | undefined;
  /** What is being applied, as far as it is known here: a process before this one may have decided it. */
  #decided: Decided | undefined;
  /** How often it removes keys, by database and name; made when it is asked for. */
  #removals: Map<string, number> | undefined;
  /** Keys that have expired while it was applied. */
  readonly #expired = new Map<string, PlacedKey>();
  #count = 0;

  /** @param options `ownPrefix`: what the names of Tandem's own keys start with */
  constructor(window: Window, { extra, ownPrefix }: { extra?: ExtraCommands; ownPrefix: string }) {
    this.#ownPrefix = ownPrefix;
    this.#window = window;
    this.#extra = extra;
    this.#names = new CommandNames(extra);
  }

  /** Late writes found since the process began. */
  get count(): number {
    return this.#count;
  }

  /** Whether so much was decided and has not come round that no more is to be: the stream is read more slowly than is applied. */
  get isFull(): boolean {
    return this.#waitingBytes >= MAX_WAITING_BYTES;
  }

  /** A batch was decided and is about to be applied. */
  decided(batch: Batch, { removed, awaited }: Omit<Decided, 'batch'> = NOTHING_SPECIAL): void {
    const last = lastSequence(batch);
    this.#forget(last);
    this.#waiting.set(last, { batch, removed, awaited });
    this.#waitingBytes += batch.payload.length;
  }

  /**
   * The marker of a batch has come round.
   * @param kept keys that a `SET` of the batch was for, had this site not a later value: nothing of the transaction is on them
   */
  applied(sequence: number, decided: number, kept: () => readonly PlacedKey[]): void {
    this.#decided = this.#forget(sequence);
    this.#removals = undefined;
    this.#expired.clear();
    const batch = this.#decided?.batch;
    const from = this.#window.firstAbove(decided);
    const isBlind = this.#window.droppedThrough > decided;
    if (from === this.#window.head && !isBlind) {
      this.#echo = undefined;
      return;
    }
    this.#echo = { from, isBlind, found: new Map() };
    if (!batch) for (const key of kept()) this.#keptHere(key);
    else if (this.#touches(batch, from, isBlind))
      for (const command of payloadCommands(batch.payload, { extra: this.#extra })) this.command(command);
  }

  /** A command of the applied transaction has come round. */
  echoed(command: PayloadCommand): void {
    this.command(command);
    if (!isRemoval(command.name)) return;
    this.#removals ??= this.#decided && removalsOf(this.#decided, this.#extra);
    for (const key of keysOf(command, 'written')) {
      const name = nameOf(key);
      const left = this.#removals?.get(name) ?? 0;
      this.#removals?.set(name, left - 1);
      if (left > 0 || key.key.toString('latin1').startsWith(this.#ownPrefix)) continue;
      this.#expired.set(name, { database: key.database, key: Buffer.from(key.key) });
    }
  }

  /** A command of what is applied: after a restart the transaction itself is the only word of it. */
  command(command: PayloadCommand): void {
    const echo = this.#echo;
    // A request changes nothing.
    if (!echo || command.name === NEED) return;
    const effect = effectCode(recordedEffectOf(command));
    const derives = isDerived(command);
    const late = keysOf(command, 'all').filter((key) => {
      // A flush or a swap of the peer's moves Tandem's own keys out of the way and back: those are no data.
      if (key.key.toString('latin1').startsWith(this.#ownPrefix)) return false;
      // What is made of a key that is asked for is asked for, too.
      return this.#isLate(echo, key, effect) || (derives && echo.found.has(nameOf(key)));
    });
    if (late.length === 0) return;
    for (const key of derives ? keysOf(command, 'written') : late)
      if (!this.#isAwaited(nameOf(key)))
        echo.found.set(nameOf(key), { database: key.database, key: Buffer.from(key.key) });
  }

  /** Whether {@link command} wants to see the commands of this transaction. */
  get isWatching(): boolean {
    return this.#echo !== undefined;
  }

  /** The applied transaction has ended: the keys the peer must be asked for. @param sequence of the request */
  end(sequence: number): PlacedKey[] {
    const found = this.#echo?.found ?? new Map<string, PlacedKey>();
    this.#echo = undefined;
    for (const [name, key] of this.#expired) found.set(name, key);
    if (found.size === 0) return [];
    this.#count += found.size;
    const asking: PlacedKey[] = [];
    // What this very transaction brought may be the answer: the window hears of what its sender had seen only afterwards.
    const seen = Math.max(this.#window.seen, this.#decided?.batch.seen ?? 0);
    for (const [name, key] of found) {
      if ((this.#asked.get(name) ?? 0) > seen) continue;
      if (this.#asked.size >= MAX_ASKED) this.#asked.clear();
      this.#asked.set(name, sequence);
      asking.push(key);
    }
    return asking;
  }

  /** Whether a key was written here by what a peer that has seen `seen` does not know, or may have been. */
  isUnseen({ database, key }: PlacedKey, seen: number): boolean {
    // The window lets go of what a later batch has made known before what an earlier one asked has come round.
    if (this.#window.isBlindAbove(seen) || this.#window.droppedThrough > seen) return true;
    this.#hash.of(database, key, 0, key.length);
    const newest = this.#window.newest(this.#hash.low, this.#hash.high);
    return newest >= 0 && this.#window.sequenceOf(newest) > seen;
  }

  #isAwaited(name: string): boolean {
    const isLate = this.#decided?.awaited.get(name);
    isLate?.();
    return isLate !== undefined;
  }

  #forget(sequence: number): Decided | undefined {
    const decided = this.#waiting.get(sequence);
    this.#waiting.delete(sequence);
    this.#waitingBytes -= decided?.batch.payload.length ?? 0;
    return decided;
  }

  /** Whether any key of the batch was written here after its decision, by hashes alone. */
  #touches(batch: Batch, from: number, isBlind: boolean): boolean {
    let touches = isBlind;
    const each = (hash: KeyHash): void => {
      if (this.#window.newest(hash.low, hash.high) >= from) touches = true;
    };
    if (!touches) forEachKey({ batch, names: this.#names, extra: this.#extra, each });
    return touches;
  }

  /** A process that is gone has left a `SET` of the peer's out for a value that may have been written over before. */
  #keptHere(key: PlacedKey): void {
    const echo = this.#echo!;
    if (this.#isLate(echo, key, SET))
      echo.found.set(nameOf(key), { database: key.database, key: Buffer.from(key.key) });
  }

  /** Whether a key may have been written after the decision by something that does not commute with `effect`. */
  #isLate({ from, isBlind }: Echo, { database, key }: PlacedKey, effect: number): boolean {
    if (isBlind) return true;
    const together = commutingWith(effect);
    this.#hash.of(database, key, 0, key.length);
    let entry = this.#window.newest(this.#hash.low, this.#hash.high);
    for (; entry >= from; entry = this.#window.older(entry)) {
      if (!together?.has(this.#window.effectOf(entry))) return true;
    }
    return false;
  }
}

const NOTHING_SPECIAL: Omit<Decided, 'batch'> = { removed: new Set(), awaited: new Map() };

/** Whether a command in the stream removes whole keys, or fields, as an expiry does. */
export function isRemoval(name: string): boolean {
  return name === 'DEL' || name === 'UNLINK' || name === 'HDEL';
}

/** How often a transaction removes keys because the peer has: what is removed more often has expired. */
function removalsOf({ batch, removed }: Decided, extra: ExtraCommands | undefined): Map<string, number> {
  const times = new Map([...removed].map((name) => [name, 1]));
  for (const command of payloadCommands(batch.payload, { extra })) {
    const isGone = command.name === STATE && parseState(command.args).dump.length === 0;
    // What it makes of other keys may be nothing, and of fields each may be removed by itself.
    const isAny = isDerived(command) || command.name === 'HDEL';
    if (isRemoval(command.name) || isGone || isAny)
      for (const key of keysOf(command, 'written')) {
        const name = nameOf(key);
        times.set(name, isAny ? Infinity : (times.get(name) ?? 0) + 1);
      }
  }
  return times;
}
