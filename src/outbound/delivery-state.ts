/** The state of the delivery, and what the log is told of it. */

import type { TandemError } from '../errors.js';
import type { Logger } from '../log/log.js';
import { Trouble } from '../log/trouble.js';

export type CourierState = 'connecting' | 'streaming' | 'caught-up' | 'backing-off' | 'paused';

export class DeliveryState {
  readonly #peer: string;
  readonly #log: Logger;
  readonly #trouble = new Trouble();
  #state: CourierState = 'connecting';
  #detail: string | undefined;
  #reason: string | undefined;
  /** Whether the log knows that all is well. */
  #isTold = false;

  constructor(peer: string, log: Logger) {
    this.#peer = peer;
    this.#log = log;
  }

  get state(): CourierState {
    return this.#state;
  }

  /** Why, while it is backing off, and while it connects again because of that. */
  get detail(): string | undefined {
    return this.#detail;
  }

  /** The code of that error. */
  get reason(): string | undefined {
    return this.#reason;
  }

  /** @param reason for backing off */
  enter(state: CourierState, reason?: TandemError): void {
    if (reason) this.#tellTrouble(state, reason);
    const detail = reason?.message ?? (state === 'connecting' ? this.#detail : undefined);
    if (state === this.#state && detail === this.#detail) return;
    this.#state = state;
    this.#detail = detail;
    if (reason !== undefined || detail === undefined) this.#reason = reason?.code;
    if (reason) this.#isTold = false;
    else this.#tell(state);
  }

  /** Something went through: what was in the way is over, if anything was. */
  passed(): void {
    const ended = this.#trouble.over();
    if (ended) this.#log.info({ peer: this.#peer, state: this.#state, ...ended }, 'delivery to the peer');
  }

  #tell(state: CourierState): void {
    // The peer answered, and has nothing to take.
    const ended = state === 'caught-up' || state === 'paused' ? this.#trouble.over() : undefined;
    // Between streaming and caught up it goes to and fro with every burst: that is nothing to tell each time.
    const isNews = state === 'connecting' || !this.#isTold;
    if (ended || (isNews && !this.#trouble.isOpen))
      this.#log.info({ peer: this.#peer, state, ...ended }, 'delivery to the peer');
    this.#isTold = state === 'caught-up' || (this.#isTold && state === 'streaming');
  }

  #tellTrouble(state: CourierState, { code, message, hint }: TandemError): void {
    const lasting = this.#trouble.met(`${code} ${message}`);
    const fields = { peer: this.#peer, state, reason: code, detail: message, hint, ...lasting };
    if (lasting) this.#log.warn(fields, 'delivery to the peer is backing off');
    else this.#log.debug(fields, 'delivery to the peer is still backing off');
  }
}
