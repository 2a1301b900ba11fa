/** Hands what happens at a site at work to the parts of the site that outlive the work. */

import type { Conflict } from '../conflicts/resolved.js';
import type { PeerWord } from '../outbound/peer-word.js';
import type { Gap } from '../protocol/gap.js';
import type { GapRepair } from './gap-repair.js';
import type { LongWork } from './long-work.js';
import type { PipelineEvents } from './pipeline-options.js';
import type { StatusOfSite } from './site-status.js';

export interface SiteEventsOptions {
  readonly told: StatusOfSite;
  readonly gaps: GapRepair;
  readonly longWork: LongWork;
  readonly word: PeerWord;
}

export class SiteEvents implements PipelineEvents {
  readonly #options: SiteEventsOptions;

  constructor(options: SiteEventsOptions) {
    this.#options = options;
  }

  conflict(conflict: Conflict): void {
    this.#options.told.conflict(conflict);
  }

  skipped(reason: string, command: string): void {
    this.#options.told.skip(reason, command);
  }

  gap(whose: Gap['kind'], isSame = false): void {
    const { told, longWork, gaps } = this.#options;
    if (!isSame) told.gaps++;
    longWork.missed();
    void gaps.found(whose);
  }

  adopted(): void {
    const { gaps, longWork } = this.#options;
    void gaps.adopted().then(() => longWork.missed());
  }

  told(text: string): void {
    this.#options.word.hear(text);
  }

  answered(args: readonly Buffer[]): void {
    this.#options.longWork.answered(args);
  }

  missed(): void {
    this.#options.longWork.missed();
  }
}
