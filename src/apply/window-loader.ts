import type { Batch } from '../change/batch.js';
import { effectCode } from '../change/effect-code.js';
import { KeyHash } from '../change/key-hash.js';
import { keysOf, recordedEffectOf, sequencedCommands, type ExtraCommands } from './payload.js';
import type { Window } from './window.js';

/** Puts the keys of a batch from the change list into the window: how the window comes back after a restart. */
export function loadIntoWindow(window: Window, batch: Batch, extra?: ExtraCommands): void {
  const hash = new KeyHash();
  for (const { sequence, command } of sequencedCommands(batch, extra)) {
    const effect = effectCode(recordedEffectOf(command));
    for (const { database, key } of keysOf(command, 'all')) {
      hash.of(database, key, 0, key.length);
      window.record(hash.low, hash.high, sequence, effect);
    }
  }
}
