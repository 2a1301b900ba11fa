/**
 * The cells of contended keys that were written here. Nothing is settled on such a key before its state comes, so a plan needs to know
 * no more of its local writes. Each local write is read once, however many batches meet it. When they come too fast for that, their
 * cells are unknown.
 */

import { BoundedMap } from '../async/bounded-map.js';
import { effectCode } from '../redis-commands/effect-code.js';
import type { KeyHash } from '../protocol/key-hash.js';
import type { PlacedKey } from '../redis-commands/placed-key.js';
import { type LocalChanges, touches } from './local-changes.js';
import type { Range } from './range.js';
import { nameOf } from '../protocol/payload.js';
import { piecesOf } from '../pieces/pieces.js';
import type { Window } from './window.js';

/** True if a local write that the sender of a batch had not seen leaves something on a cell. Undefined when that is unknown. */
export type IsOnCell = (cell: string) => boolean | undefined;

/** By cell, the newest local write that leaves something there. */
interface Cells {
  decided: number;
  newest: Map<string, number>;
  /** The cells of writes up to here are unknown. */
  blurredThrough: number;
}

/** Effects that write cells and leave something there. */
const WRITING: ReadonlySet<number> = new Set(
  (['cells', 'member', 'field-sum', 'score-sum', 'modify', 'unknown'] as const).map((effect) =>
    effectCode(effect),
  ),
);
/** Local writes read for one batch. When more have come since the last batch, plans cannot keep up with them. */
const MAX_AT_ONCE = 256;
/** Keys kept, of which the one longest not asked for goes first. Beyond so many cells of a key none of them is known. */
const KEPT_KEYS = 32;
const KEPT_CELLS = 50_000;

export class UnseenCells {
  readonly #window: Window;
  readonly #changes: LocalChanges;
  readonly #kept = new BoundedMap<string, Cells>(KEPT_KEYS);

  constructor(window: Window, changes: LocalChanges) {
    this.#window = window;
    this.#changes = changes;
  }

  /** The cells that are written in a range. @param hash that of the key */
  async find(key: PlacedKey, hash: KeyHash, { seen, decided }: Range): Promise<IsOnCell> {
    const cells = this.#keptOf(nameOf(key));
    const written = this.#written(hash, { seen: Math.max(cells.decided, seen), decided });
    if (written === undefined) cells.blurredThrough = decided;
    for (const sequence of written ?? [])
      for (const command of await this.#changes.commandsOf(sequence)) {
        if (!touches(command, key)) continue;
        const source = { command, timestamp: 0, site: '', sequence, seen: 0 };
        for (const { cell, isRemoval } of piecesOf(source, key.key))
          if (!isRemoval) cells.newest.set(cell, sequence);
      }
    cells.decided = Math.max(cells.decided, decided);
    bound(cells, seen);
    return (cell) =>
      (cells.newest.get(cell) ?? 0) > seen || (cells.blurredThrough > seen ? undefined : false);
  }

  /** The window's entries of a key, oldest first; undefined when there are too many for each to be looked at. */
  #written(hash: KeyHash, { seen, decided }: Range): number[] | undefined {
    const found: number[] = [];
    let entry = this.#window.newest(hash.low, hash.high);
    for (; entry >= 0; entry = this.#window.older(entry)) {
      const sequence = this.#window.sequenceOf(entry);
      if (sequence <= seen) break;
      if (sequence > decided || !WRITING.has(this.#window.effectOf(entry))) continue;
      if (found.length >= MAX_AT_ONCE) return undefined;
      found.push(sequence);
    }
    return found.toReversed();
  }

  #keptOf(name: string): Cells {
    const cells = this.#kept.get(name) ?? { decided: 0, newest: new Map(), blurredThrough: 0 };
    this.#kept.set(name, cells);
    return cells;
  }
}

function bound(cells: Cells, seen: number): void {
  if (cells.newest.size <= KEPT_CELLS) return;
  for (const [cell, sequence] of cells.newest) if (sequence <= seen) cells.newest.delete(cell);
  if (cells.newest.size <= KEPT_CELLS) return;
  cells.newest.clear();
  cells.blurredThrough = cells.decided;
}
