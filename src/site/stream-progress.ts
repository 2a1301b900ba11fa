/** How far the local stream is read, and how much of that is in the change list. */

import type { Capture } from '../capture/capture.js';
import type { CapturedChanges } from '../conflicts/plan-options.js';
import type { ChangeList } from '../outbound/change-list.js';
import type { ReadProgress } from '../outbound/courier-options.js';
import type { Position } from '../protocol/position.js';

export class StreamProgress implements ReadProgress, CapturedChanges {
  readonly #list: ChangeList;
  #capture: Capture | undefined;

  constructor(list: ChangeList) {
    this.#list = list;
  }

  /** Capture begins to read. Before that only {@link readThrough} may be asked. */
  begin(capture: Capture): void {
    this.#capture = capture;
  }

  get position(): Position {
    return this.#capture!.position;
  }

  get seen(): { readonly epoch: number; readonly sequence: number } {
    return this.#capture!.seen;
  }

  get capturedThrough(): number {
    return this.#capture!.nextSequence - 1;
  }

  get isSettled(): boolean {
    return this.#capture!.gathered === 0 && this.#list.appendedThrough === this.capturedThrough;
  }

  get readThrough(): Position | undefined {
    return this.#capture && this.isSettled ? this.position : undefined;
  }
}
