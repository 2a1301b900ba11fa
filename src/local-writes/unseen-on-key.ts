/**
 * The local commands on single keys that the peer has not seen, kept from batch to batch. A key that both sites write all the time has
 * thousands of them, and each batch adds a few and takes a few away.
 */

import { BoundedMap } from '../async/bounded-map.js';
import { codesOf, effectCode } from '../redis-commands/effect-code.js';
import type { KeyHash } from '../protocol/key-hash.js';
import { type Lack, LACK, NEED, parseNeed } from '../protocol/messages/state-request.js';
import type { PlacedKey } from '../redis-commands/placed-key.js';
import type { IsOnCell } from './unseen-cells.js';
import { type LocalChanges, touches } from './local-changes.js';
import type { LocalCommand, Piece } from '../pieces/piece.js';
import { keysOf, nameOf } from '../protocol/payload.js';
import { piecesOf } from '../pieces/pieces.js';
import { onKey } from './flushed.js';
import type { Window } from './window.js';
import type { Range } from './range.js';

/** The local commands on a key that the sender of a batch had not seen, oldest first. */
export interface UnseenCommands {
  /** Whether any of them writes, reads or asks for the key. */
  readonly isTouched: boolean;
  /** Those that write the key, and what they do to it. */
  readonly written: readonly LocalCommand[];
  readonly pieces: readonly Piece[];
  /** Whether this site has requested the key, and whether because its value here may lack local writes. */
  readonly isAsking: boolean;
  readonly isLacking: boolean;
  /** The worst that these requests say of the value. */
  readonly lack: Lack;
  /** The last local request for the key, 0 without one, and whether one says that writes of the peer's are left out here. */
  readonly askedAt: number;
  readonly leavesOut: boolean;
  /** Of a contended key only this is looked up: which cells local writes are on, and whether a life of it has ended. */
  readonly isOnCell?: IsOnCell;
  readonly hasEnded?: boolean;
}

export const NOTHING_ON_KEY: UnseenCommands = {
  isTouched: false,
  written: [],
  pieces: [],
  isAsking: false,
  isLacking: false,
  lack: LACK.nothing,
  askedAt: 0,
  leavesOut: false,
};

/** One write in the window. */
interface Entry {
  readonly sequence: number;
  /** Whether the plan needs it though a head has covered it. */
  lasts: boolean;
  /** What its change does to the key. */
  readonly own: UnseenCommands;
}

interface Kept extends Range {
  /** Oldest first. */
  readonly entries: readonly Entry[];
}

/** Effects that replace all that was there. A removal does, too, but of a list the plan must know what it took. */
export const REPLACING = effectCode('set');
/** Effects that a plan needs even from before a head: states, requests, ends of lives, and writes on lists. */
export const LASTING = codesOf(
  ...([
    'state',
    'copy',
    'need',
    'push-left',
    'push-right',
    'pop-left',
    'pop-right',
    'pops-left',
    'pops-right',
    'list-edit',
    'expired',
  ] as const),
);

const REMOVING = effectCode('remove');

/** Keys kept. The one longest not looked at goes first. */
const KEPT_KEYS = 128;

export class UnseenOnKey {
  readonly #site: string;
  readonly #window: Window;
  readonly #changes: LocalChanges;
  readonly #kept = new BoundedMap<string, Kept>(KEPT_KEYS);

  constructor({ site, window, changes }: { site: string; window: Window; changes: LocalChanges }) {
    this.#site = site;
    this.#window = window;
    this.#changes = changes;
  }

  /** What was written on a key in a range. @param hash that of the key */
  async find(key: PlacedKey, hash: KeyHash, range: Range): Promise<UnseenCommands> {
    const name = nameOf(key);
    const known = this.#kept.get(name);
    const before = known && known.seen <= range.seen && known.decided <= range.decided ? known : undefined;
    // The caller reuses the hash for other keys while this waits.
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
      added.push({
        sequence,
        lasts,
        own: this.#taken(onKey(await this.#changes.commandsOf(sequence), key), key),
      });
    }
    const entries = before ? still(before.entries, range.seen, later) : [];
    const all = [...entries, ...added];
    this.#kept.set(name, { ...range, entries: all });
    return together(all);
  }

  #taken(commands: readonly LocalCommand[], key: PlacedKey): UnseenCommands {
    const touching = commands.filter((command) => touches(command, key));
    const written = touching.filter((command) => writes(command, key));
    const pieces = written.flatMap((command) => {
      const { timestamp, sequence, batchEnd, seen } = command;
      return piecesOf({ command, timestamp, site: this.#site, sequence, batchEnd, seen }, key.key);
    });
    const needs = touching.filter(({ name }) => name === NEED);
    const lacks = needs.map(({ args }) => parseNeed(args).lack);
    const lack = lacks.reduce<Lack>(worse, LACK.nothing);
    return {
      isTouched: touching.length > 0,
      written,
      pieces,
      isAsking: needs.length > 0,
      isLacking: lack === LACK.localWrites,
      lack,
      askedAt: needs.at(-1)?.sequence ?? 0,
      leavesOut: lacks.includes(LACK.peerWrites),
    };
  }

  /** The window's entries of a key, oldest first. Entries that a head of the key covers are left out, but for those that last. */
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
    for (const sequence of this.#window.flushesIn(seen, decided)) found.push({ sequence, effect: REMOVING });
    return found.toSorted((one, other) => one.sequence - other.sequence);
  }
}

/** In one loop: there may be thousands, and it is done for every batch. */
function together(entries: readonly Entry[]): UnseenCommands {
  const [written, pieces]: [LocalCommand[], Piece[]] = [[], []];
  let [isTouched, isAsking, isLacking, leavesOut, askedAt] = [false, false, false, false, 0];
  let lack: Lack = LACK.nothing;
  for (const { own } of entries) {
    isTouched ||= own.isTouched;
    for (const command of own.written) written.push(command);
    for (const piece of own.pieces) pieces.push(piece);
    isAsking ||= own.isAsking;
    isLacking ||= own.isLacking;
    lack = worse(lack, own.lack);
    leavesOut ||= own.leavesOut;
    askedAt = Math.max(askedAt, own.askedAt);
  }
  return { isTouched, written, pieces, isAsking, isLacking, lack, askedAt, leavesOut };
}

function worse(one: Lack, other: Lack): Lack {
  return one > other ? one : other;
}

/** The entries that the sender has not seen and no later head covers. */
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

/** Whether a command that touches the key writes it. */
function writes(command: LocalCommand, { database, key }: PlacedKey): boolean {
  if (command.spec?.singleKey === true) return true;
  return keysOf(command, 'written').some((one) => one.database === database && one.key.equals(key));
}
