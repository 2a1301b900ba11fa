/**
 * Tells those who wait for a process's lease that it is gone, at once, however it died: it is subscribed to a channel of its own, to
 * which nobody publishes, and the server knows whether the connection stands. (`CLIENT LIST` would tell as much, but needs a right
 * that an account should not have.)
 */

import type { Logger } from '../log/log.js';
import { connectClient, refusalOf, whereOf, type Redis } from '../redis/connect.js';
import { runIdOf } from '../redis/primary.js';

export class Presence {
  readonly #client: Redis;
  readonly #channel: string;
  readonly #log: Logger;
  readonly #onSubscribed: () => void;
  #isBegun = false;
  /** Of the server it is subscribed at. */
  #runId: string | undefined;

  /** @param client for this alone: what is subscribed can do nothing else */
  constructor(
    client: Redis,
    { channel, log, onSubscribed }: { channel: string; log: Logger; onSubscribed: () => void },
  ) {
    this.#client = client;
    this.#channel = channel;
    this.#log = log;
    this.#onSubscribed = onSubscribed;
  }

  /**
   * Connects and subscribes, from now on after each loss of the connection. Where that fails, the lease has to end by itself.
   * @param runId of the server that has the lease: a subscription at another one, which was its primary before, is moved there
   */
  async begin(signal: AbortSignal, runId: string | undefined): Promise<void> {
    if (this.#isBegun) {
      const isElsewhere = runId !== undefined && this.#runId !== undefined && runId !== this.#runId;
      if (isElsewhere && this.#client.status === 'ready') this.#client.disconnect(true);
      return;
    }
    this.#isBegun = true;
    try {
      await connectClient(this.#client, signal);
    } catch (error) {
      this.#failed(error);
    }
    this.#client.on('ready', () => void this.#subscribe());
    if (this.#client.status === 'ready') await this.#subscribe();
  }

  async #subscribe(): Promise<void> {
    try {
      this.#runId = await runIdOf(this.#client);
      await this.#client.subscribe(this.#channel);
      this.#onSubscribed();
    } catch (error) {
      this.#failed(error);
    }
  }

  #failed(error: unknown): void {
    this.#log.debug(
      { err: refusalOf(error, whereOf(this.#client)) },
      'nobody can tell at once when this process dies: no subscription',
    );
  }
}
