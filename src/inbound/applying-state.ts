/** The state of the application of the peer's changes, and what the log is told of it. */

import type { TandemError } from '../errors.js';
import type { Logger } from '../log/log.js';
import { Trouble } from '../log/trouble.js';

export type ApplierState = 'streaming' | 'caught-up' | 'backing-off' | 'paused' | 'stopped';

export class ApplyingState {
  readonly #log: Logger;
  readonly #trouble = new Trouble();
  #state: ApplierState = 'caught-up';
  #detail: string | undefined;
  #reason: string | undefined;

  constructor(log: Logger) {
    this.#log = log;
  }

  get state(): ApplierState {
    return this.#state;
  }

  /** Why, when it is no good state. */
  get detail(): string | undefined {
    return this.#detail;
  }

  /** The code of that error. */
  get reason(): string | undefined {
    return this.#reason;
  }

  /** @param reason for backing off, and for stopping */
  enter(state: ApplierState, reason?: TandemError): void {
    const { code, message: detail, hint } = reason ?? {};
    if (state === 'backing-off') this.#tellTrouble({ reason: code, detail, hint });
    if (state === this.#state && detail === this.#detail) return;
    this.#state = state;
    this.#detail = detail;
    this.#reason = code;
    if (state === 'stopped')
      this.#log.error({ reason: code, detail, hint }, "application of the peer's changes has stopped");
    // That a batch is taken up once more says nothing yet.
    else if (state !== 'backing-off' && state !== 'streaming') this.passed();
  }

  /** Something was applied, or nothing waits: what was in the way is over, if anything was. */
  passed(): void {
    if (this.#state === 'backing-off')
      [this.#state, this.#detail, this.#reason] = ['streaming', undefined, undefined];
    const ended = this.#trouble.over();
    if (ended) this.#log.info({ state: this.#state, ...ended }, "application of the peer's changes");
  }

  #tellTrouble(fields: {
    reason: string | undefined;
    detail: string | undefined;
    hint: string | undefined;
  }): void {
    const lasting = this.#trouble.met(`${fields.reason} ${fields.detail}`);
    const told = { ...fields, ...lasting };
    if (lasting) this.#log.warn(told, "application of the peer's changes is backing off");
    else this.#log.debug(told, "application of the peer's changes is still backing off");
  }
}
