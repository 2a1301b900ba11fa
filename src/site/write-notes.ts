/** Notes local writes where the stages look for them: in the window, and in what is known of entries and members. */

import type { LocalWriteNotes } from '../capture/change-sink.js';
import type { End } from '../capture/known-members.js';
import { loadMembers } from '../capture/member-loader.js';
import type { LocalEntries } from '../local-writes/local-entries.js';
import type { Window } from '../local-writes/window.js';
import type { Acknowledgements } from '../outbound/acknowledgements.js';
import { effectCode, isTandems, type RecordedEffect } from '../redis-commands/effect-code.js';
import type { PlacedKey } from '../redis-commands/placed-key.js';
import type { Claims } from '../sync/claims.js';
import type { PipelineOptions } from './pipeline-options.js';

export interface WriteNotesOptions {
  readonly window: Window;
  readonly entries: LocalEntries;
  readonly claims: Claims;
  readonly acknowledgements: Acknowledgements;
  readonly pipeline: PipelineOptions;
}

export class WriteNotes implements LocalWriteNotes {
  readonly #options: WriteNotesOptions;

  constructor(options: WriteNotesOptions) {
    this.#options = options;
  }

  write(low: number, high: number, sequence: number, effect: RecordedEffect, isRead?: boolean): void {
    const { window, claims, acknowledgements } = this.#options;
    if (effect === 'need') acknowledgements.asked(sequence);
    window.record(low, high, sequence, effectCode(effect));
    if (isRead !== true && !isTandems(effect)) claims.own(low, high);
  }

  flushed(sequence: number): void {
    this.#options.window.recordFlush(sequence);
  }

  named(name: string, args: readonly Buffer[], database: number, sequence: number): void {
    this.#options.entries.record({ name, args, database }, sequence);
  }

  popped(key: PlacedKey, end: End, untold: () => void): void {
    void loadMembers(this.#options.pipeline, { key, end }, untold);
  }
}
