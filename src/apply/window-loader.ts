import type { Batch } from '../change/batch.js';
import { effectOf } from '../change/commands.js';
import { effectCode } from '../change/effect-code.js';
import { KeyHash } from '../change/key-hash.js';
import { keysOf, payloadCommands } from './payload.js';
import type { Window } from './window.js';

/** Puts the keys of a batch from the change list into the window: how the window comes back after a restart. */
export function loadIntoWindow(window: Window, batch: Batch): void {
  const hash = new KeyHash();
  const groupEnds = new Map<number, number>();
  for (let i = 0; i + 1 < batch.groups.length; i += 2)
    groupEnds.set(batch.groups[i]!, batch.groups[i]! + batch.groups[i + 1]!);
  let sequence = batch.first;
  let groupEnd = 0;
  for (const command of payloadCommands(batch.payload)) {
    groupEnd = groupEnds.get(command.index) ?? groupEnd;
    if (command.name !== 'SELECT' && command.spec !== undefined) {
      const effect = effectCode(effectOf(command.spec, command.args));
      for (const { database, key } of keysOf(command, 'written')) {
        hash.of(database, key, 0, key.length);
        window.record(hash.low, hash.high, sequence, effect);
      }
    }
    const inGroup = command.index + 1 < groupEnd;
    if (!inGroup && (command.name !== 'SELECT' || command.index + 1 === groupEnd)) sequence++;
  }
}
