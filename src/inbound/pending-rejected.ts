/** How many rejected changes stand in the list: what a person has not seen to yet, whichever process has listed them. */

import type { Redis } from 'ioredis';
import { Signal } from '../async/signal.js';
import { answerOf } from '../redis/connect.js';

/** How often the list is asked for its length. */
const LOOK_MS = 1000;

export class PendingRejected {
  readonly #client: Redis;
  readonly #list: string;
  #count = 0;

  constructor(client: Redis, list: string) {
    this.#client = client;
    this.#list = list;
  }

  get count(): number {
    return this.#count;
  }

  /** Looks until the signal aborts. Nothing rests on it: where it fails, it is looked the next time. Never rejects. */
  async keep(signal: AbortSignal): Promise<void> {
    const wake = new Signal();
    while (!signal.aborted) {
      if (this.#client.status === 'ready')
        this.#count = await answerOf(this.#client, this.#client.xlen(this.#list)).catch(() => this.#count);
      await wake.wait(signal, LOOK_MS).catch(() => {});
    }
  }
}
