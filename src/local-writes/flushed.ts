/** Which keys the local changes have written that a flush of the peer's meets. */

import type { PlacedKey } from '../redis-commands/placed-key.js';
import type { LocalChanges } from './local-changes.js';
import type { LocalCommand } from '../pieces/piece.js';
import type { Range } from './range.js';
import { keysOf, nameOf } from '../protocol/payload.js';
import type { Window } from './window.js';
import { isFlush, empties, asDeletion } from '../protocol/flushes.js';

/** The most local changes that are held against a flush. Where the sender had not seen more, the sites are compared. */
const MAX_CHANGES = 100_000;

/** The local commands that concern one key. A flush concerns every key. */
export function onKey(commands: readonly LocalCommand[], key: PlacedKey): readonly LocalCommand[] {
  return commands.map((command) =>
    isFlush(command) && empties(command, key.database) ? asDeletion(command, key) : command,
  );
}

/** The keys that local changes in a range have written; undefined when they are too many, or unknown. */
export async function keysWritten(
  window: Window,
  changes: LocalChanges,
  range: Range,
): Promise<PlacedKey[] | undefined> {
  if (window.isBlindAbove(range.seen)) return undefined;
  const sequences = new Set<number>();
  for (let number = window.firstAbove(range.seen); number < window.head; number++) {
    const sequence = window.sequenceOf(number);
    if (sequence <= range.decided) sequences.add(sequence);
    if (sequences.size > MAX_CHANGES) return undefined;
  }
  const found = new Map<string, PlacedKey>();
  for (const sequence of sequences)
    for (const command of await changes.commandsOf(sequence))
      for (const { database, key } of keysOf(command, 'written'))
        found.set(nameOf({ database, key }), { database, key: Buffer.from(key) });
  return [...found.values()];
}
