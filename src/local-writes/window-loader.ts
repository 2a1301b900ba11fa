import type { Batch } from '../protocol/batch.js';
import { wallMs } from '../protocol/clock.js';
import { effectCode, isTandems } from '../redis-commands/effect-code.js';
import { KeyHash } from '../protocol/key-hash.js';
import {
  keysOf,
  recordedEffectAt,
  recordedEffectOf,
  sequencedCommands,
  type ExtraCommands,
} from '../protocol/payload.js';
import { isFlush } from '../protocol/flushes.js';
import type { LocalEntries } from './local-entries.js';
import type { Window } from './window.js';

/** What a batch of the change list is put into. */
interface Loaded {
  readonly window: Window;
  readonly entries: LocalEntries;
  readonly claims?: { at(nowMs: number): void; own(low: number, high: number): void };
}

/**
 * Puts the keys of a batch from the change list into the window: how the window comes back after a restart. `claims` is told what it
 * writes: that may not have been kept.
 */
export function loadIntoWindow(
  { window, entries, claims }: Loaded,
  batch: Batch,
  extra?: ExtraCommands,
): void {
  const hash = new KeyHash();
  claims?.at(wallMs(batch.timestamp));
  for (const { sequence, command } of sequencedCommands(batch, extra)) {
    entries.record(command, sequence);
    if (isFlush(command)) window.recordFlush(sequence);
    for (const [at, { database, key }] of keysOf(command, 'all').entries()) {
      hash.of(database, key, 0, key.length);
      window.record(hash.low, hash.high, sequence, effectCode(recordedEffectAt(command, at)));
    }
    if (claims === undefined || isTandems(recordedEffectOf(command))) continue;
    for (const { database, key } of keysOf(command, 'written')) {
      hash.of(database, key, 0, key.length);
      claims.own(hash.low, hash.high);
    }
  }
}
