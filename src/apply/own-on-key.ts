/**
 * The own commands on single keys that the peer has not seen, kept from batch to batch: a key that both sites write all the time
 * has thousands of them, and each batch adds a few and takes a few away.
 */

import { effectCode } from '../change/effect-code.js';
import type { KeyHash } from '../change/key-hash.js';
import { LACK, NEED, parseNeed, type PlacedKey } from '../change/special.js';
import type { IsOnCell } from './own-cells.js';
import type { OwnChanges, OwnCommand } from './own-changes.js';
import { keysOf, nameOf } from './payload.js';
import type { Piece } from './rules/meeting.js';
import { piecesOf } from './rules/pieces.js';
import type { Window } from './window.js';

/** Own sequences above `seen` and up to `decided`. */
export interface Range {
  readonly seen: number;
  readonly decided: number;
}

/** The own commands on a key that the sender of a batch had not seen, oldest first. */
export interface OwnOn {
  /** Whether any of them writes, reads or asks for the key. */
  readonly isTouched: boolean;
  /** Those that write the key, and what they do to it. */
  readonly written: readonly OwnCommand[];
  readonly pieces: readonly Piece[];
  /** Whether the key was asked for, and whether because its value here may lack something. */
  readonly isAsking: boolean;
  readonly isLacking: boolean;
  /** All that is looked up of own writes on a hot key. */
  readonly isOnCell?: IsOnCell;
}

export const NOTHING_ON_KEY: OwnOn = {
  isTouched: false,
  written: [],
  pieces: [],
  isAsking: false,
  isLacking: false,
};

/** One write in the window. */
interface Entry {
  readonly sequence: number;
  /** Whether it is to be known though a head has covered it. */
  lasts: boolean;
  /** What its change holds of the key. */
  readonly own: OwnOn;
}

interface Kept extends Range {
  /** Oldest first. */
  readonly entries: readonly Entry[];
}

/** What replaces all that was there. (A removal does, too, but of a list it must be known what it took.) */
export const REPLACING = effectCode('set');
/** What is to be known even from before that: states, requests, and what was done to lists. */
export const LASTING: ReadonlySet<number> = new Set(
  (['state', 'need', 'push', 'pop', 'list-edit'] as const).map((effect) => effectCode(effect)),
);

/** Keys kept, the one looked at first goes first. */
const KEPT_KEYS = 128;

export class OwnOnKey {
  readonly #site: string;
  readonly #window: Window;
  readonly #changes: OwnChanges;
  readonly #kept = new Map<string, Kept>();

  constructor({ site, window, changes }: { site: string; window: Window; changes: OwnChanges }) {
    this.#site = site;
    this.#window = window;
    this.#changes = changes;
  }

  /** What was written on a key in a range. @param hash that of the key */
  async find(key: PlacedKey, hash: KeyHash, range: Range): Promise<OwnOn> {
    const name = nameOf(key);
    const known = this.#kept.get(name);
    const before = known && known.seen <= range.seen && known.decided <= range.decided ? known : undefined;
    // The hash is another key's by the time something has been waited for.
    const later = this.#written(hash, {
      seen: Math.max(before?.decided ?? 0, range.seen),
      decided: range.decided,
    });
    const added: Entry[] = [];
    for (const { sequence, effect } of later) {
      // A transaction may write a key twice.
      const last = added.at(-1);
      if (last?.sequence === sequence) {
        last.lasts ||= LASTING.has(effect);
        continue;
      }
      const lasts = LASTING.has(effect);
      added.push({ sequence, lasts, own: this.#taken(await this.#changes.commandsOf(sequence), key) });
    }
    const entries = before ? still(before.entries, range.seen, later) : [];
    const all = [...entries, ...added];
    this.#keep(name, { ...range, entries: all });
    return together(all);
  }

  #taken(commands: readonly OwnCommand[], key: PlacedKey): OwnOn {
    const touching = commands.filter((command) => touches(command, key));
    const written = touching.filter((command) => writes(command, key));
    const pieces = written.flatMap((command) => {
      const { timestamp, sequence, batchEnd, seen } = command;
      return piecesOf({ command, timestamp, site: this.#site, sequence, batchEnd, seen }, key.key);
    });
    const needs = touching.filter(({ name }) => name === NEED);
    const isLacking = needs.some(({ args }) => parseNeed(args).lack === LACK.own);
    return { isTouched: touching.length > 0, written, pieces, isAsking: needs.length > 0, isLacking };
  }

  /** The window's entries of a key, oldest first. What a head of the key covers is left out, but for what lasts. */
  #written(hash: KeyHash, { seen, decided }: Range): { sequence: number; effect: number }[] {
    const found: { sequence: number; effect: number }[] = [];
    let isCovered = false;
    let entry = this.#window.newest(hash.low, hash.high);
    for (; entry >= 0; entry = this.#window.older(entry)) {
      const sequence = this.#window.sequenceOf(entry);
      if (sequence <= seen) break;
      const effect = this.#window.effectOf(entry);
      if (sequence > decided || (isCovered && !LASTING.has(effect))) continue;
      found.push({ sequence, effect });
      isCovered ||= effect === REPLACING;
    }
    return found.toReversed();
  }

  #keep(name: string, kept: Kept): void {
    this.#kept.delete(name);
    if (this.#kept.size >= KEPT_KEYS) this.#kept.delete(this.#kept.keys().next().value!);
    this.#kept.set(name, kept);
  }
}

/** In one loop: there may be thousands, and it is done for every batch. */
function together(entries: readonly Entry[]): OwnOn {
  const [written, pieces]: [OwnCommand[], Piece[]] = [[], []];
  let [isTouched, isAsking, isLacking] = [false, false, false];
  for (const { own } of entries) {
    isTouched ||= own.isTouched;
    for (const command of own.written) written.push(command);
    for (const piece of own.pieces) pieces.push(piece);
    isAsking ||= own.isAsking;
    isLacking ||= own.isLacking;
  }
  return { isTouched, written, pieces, isAsking, isLacking };
}

/** Those of the entries that the sender has not seen and that nothing later covers. */
function still(
  entries: readonly Entry[],
  seen: number,
  later: readonly { readonly effect: number }[],
): Entry[] {
  let from = 0;
  while (from < entries.length && entries[from]!.sequence <= seen) from++;
  const rest = entries.slice(from);
  const isCovered = later.some(({ effect }) => effect === REPLACING);
  return isCovered ? rest.filter(({ lasts }) => lasts) : rest;
}

/** Whether a command writes, reads or asks for a key: those of a transaction may be on others. */
export function touches(command: OwnCommand, { database, key }: PlacedKey): boolean {
  return keysOf(command, 'all').some((one) => one.database === database && one.key.equals(key));
}

/** Whether a command that touches the key writes it. */
function writes(command: OwnCommand, { database, key }: PlacedKey): boolean {
  if (command.spec?.singleKey === true) return true;
  return keysOf(command, 'written').some((one) => one.database === database && one.key.equals(key));
}
