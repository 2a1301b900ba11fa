/** How far the local stream is read, and how much of that is in the change list. */

import type { ChangeSource } from '../capture/change-source.js';
import type { CapturedChanges } from '../conflicts/plan-options.js';
import type { ChangeList } from '../outbound/change-list.js';
import type { ReadProgress } from '../outbound/courier-options.js';
import type { Position } from '../protocol/position.js';

export class StreamProgress implements ReadProgress, CapturedChanges {
  readonly #list: ChangeList;
  #source: ChangeSource | undefined;

  constructor(list: ChangeList) {
    this.#list = list;
  }

  /** The source is about to be read. Before that only {@link readThrough} may be asked. */
  begin(source: ChangeSource): void {
    this.#source = source;
  }

  get position(): Position {
    return this.#source!.position;
  }

  get seen(): { readonly epoch: number; readonly sequence: number } {
    return this.#source!.seen;
  }

  get capturedThrough(): number {
    return this.#source!.nextSequence - 1;
  }

  get isSettled(): boolean {
    return this.#source!.gathered === 0 && this.#list.appendedThrough === this.capturedThrough;
  }

  get readThrough(): Position | undefined {
    return this.#source && this.isSettled ? this.position : undefined;
  }
}
