/** How entries of the other site are added to streams in the order of their arrival, and how its trims of these are carried out. */

import { encodeCommand, type Argument } from '../redis-commands/encode-command.js';
import { parseArrival } from '../protocol/messages/arrival.js';
import type { PlacedKey } from '../redis-commands/placed-key.js';
import { scriptSource } from '../lua/scripts.js';
import { MAX_SCRIPT_ARGUMENTS } from './attempts.js';
import { keysOf, nameOf, type PayloadCommand } from '../protocol/payload.js';
import type { Piece } from '../pieces/piece.js';

/** A trim that is still to be carried out. */
interface Trim {
  readonly key: PlacedKey;
  readonly command: PayloadCommand;
  readonly strategy: string;
  limit: string;
}

/**
 * What adds an entry of the other site's at the end of its stream.
 * @param isStrict whether a key of another type is a failed change
 */
export function arrivingEntry(
  key: Buffer,
  fields: readonly Buffer[],
  isStrict: boolean,
): Argument[] | undefined {
  if (fields.length === 0) return undefined;
  // An entry too large for a script counts as a local one, so a trim leaves it for longer.
  if (fields.length > MAX_SCRIPT_ARGUMENTS) return ['XADD', key, '*', ...fields];
  return ['EVAL', scriptSource('add-at-end'), 1, key, isStrict ? 1 : 0, ...fields];
}

/** The addition as a piece for the rules. It lies on a cell of its own, which no local write is on. */
export function arrivingPiece(
  command: PayloadCommand,
  { timestamp, origin, seen }: { timestamp: number; origin: string; seen: number },
): Piece | undefined {
  const { key, fields } = parseArrival(command.args);
  const add = arrivingEntry(key, fields, false);
  if (!add) return undefined;
  return {
    role: 'cell',
    name: command.name,
    type: 'stream',
    command: add,
    cell: `arrival ${command.index}`,
    isRemoval: false,
    timestamp,
    site: origin,
    sequence: 0,
    batchEnd: 0,
    seen,
  };
}

/** The trims of a batch. Of each stream only the last one runs, behind the entries it was meant for. */
export class ArrivalTrims {
  readonly #trims = new Map<string, Trim>();

  /** Takes note of what a command trims. @returns trims that must be carried out before */
  add(command: PayloadCommand): readonly Trim[] {
    const [key] = keysOf(command, 'written') as [PlacedKey];
    const { strategy, limit, fields } = parseArrival(command.args);
    const before = this.#trims.get(nameOf(key));
    if (strategy === '') {
      // An addition without a trim goes beyond what the trim before it kept.
      if (before?.strategy === 'MAXLEN' && fields.length > 0)
        before.limit = String(BigInt(before.limit) + 1n);
      return [];
    }
    this.#trims.set(nameOf(key), { key, command, strategy, limit });
    return before && before.strategy !== strategy ? [before] : [];
  }

  /** All that are still to be carried out. */
  take(): readonly Trim[] {
    const trims = [...this.#trims.values()];
    this.#trims.clear();
    return trims;
  }
}

/** The script that carries out a trim. @param unseenFrom where local entries begin that its sender had not seen */
export function cap({ key, strategy, limit }: Trim, unseenFrom: string): Buffer {
  return encodeCommand(['EVAL', scriptSource('cap-stream'), 1, key.key, strategy, limit, unseenFrom]);
}
