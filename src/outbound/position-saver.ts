import type { Position } from '../protocol/position.js';
import type { HybridClock } from '../protocol/clock.js';
import { Signal } from '../async/signal.js';
import type { ChangeList } from './change-list.js';

/** How often a position that was reached without a change is saved, and after how many bytes of the stream at the latest. */
const SAVE_MS = 1000;
const SAVE_BYTES = 1024 * 1024;

export interface PositionSaverOptions {
  readonly list: ChangeList;
  readonly progress: {
    readonly position: Position;
    /** Whether every captured change is in the change list, so that the position may be saved without one. */
    readonly isSettled: boolean;
  };
  readonly clock: Pick<HybridClock, 'last'>;
  readonly signal: AbortSignal;
}

/** Saves the position also behind bytes without a change, so that a restart does not read them again. Ends with the signal. */
export async function savePositions(options: PositionSaverOptions): Promise<void> {
  const { list, progress, clock, signal } = options;
  const wake = new Signal();
  for (;;) {
    await wake.wait(signal, SAVE_MS);
    const { position } = progress;
    const isWorthIt = position.seen !== list.saved?.seen || position.offset - list.saved.offset > SAVE_BYTES;
    if (isWorthIt && progress.isSettled) await list.savePosition(position, clock.last);
  }
}
