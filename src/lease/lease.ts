/**
 * The lease: which of several processes started for one site works. Whoever takes it gets a fencing token that rises each
 * time, and every write checks the token, so a process that was paused and wakes up late can do no harm, nor can a command that
 * arrives on a connection its own process has given up.
 */

import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { TandemError } from '../errors.js';
import type { Logger } from '../log/log.js';
import { runScript } from '../lua/scripts.js';
import type { KeyNames } from '../redis/keys.js';
import { runIdOf } from '../redis/primary.js';
import { Signal } from '../async/signal.js';
import { GONE_MS } from './holder.js';
import { Presence } from './presence.js';

export interface LeaseOptions {
  readonly client: Redis;
  readonly keys: KeyNames;
  readonly leaseMs: number;
  readonly log: Logger;
  /**
   * A client of the same server, for this alone, connected when the lease is asked for: whoever waits knows by it at once that this
   * process is gone. Without it the lease must end by itself.
   */
  readonly presence?: Redis;
}

/** Renewals within one lease: two may be lost before it ends. */
const RENEWALS = 3;
/** A waiting process asks at most, and at least, this often. */
const SHORTEST_WAIT_MS = 20;
const MAX_WAIT_MS = 1000;
/** How often it is looked whether a holder whose connection is gone comes back. */
const GONE_PAUSE_MS = 50;

export class Lease {
  readonly #options: LeaseOptions;
  readonly #process = randomUUID();
  readonly #presence: Presence | undefined;
  /** Raised when the presence is subscribed, so that the lease says so before its next renewal is due. */
  readonly #renewal = new Signal();
  #token = 0;

  constructor(options: LeaseOptions) {
    this.#options = options;
    const { presence, keys, log } = options;
    const channel = `${keys.lease}:${this.#process}`;
    this.#presence =
      presence && new Presence(presence, { channel, log, onSubscribed: () => this.#renewal.raise() });
  }

  /** Waits until this process has the lease; gives the fencing token. */
  async acquire(signal: AbortSignal, onWaiting: () => void): Promise<number> {
    if (this.#presence) await this.#presence.begin(signal, await runIdOf(this.#options.client));
    let [gone, since] = ['', 0];
    for (;;) {
      signal.throwIfAborted();
      const isOver = gone !== '' && performance.now() - since >= GONE_MS;
      const [token, otherMs, nowGone] = await this.#ask('take', isOver ? gone : '');
      if (token > 0) return (this.#token = token);
      onWaiting();
      if (nowGone !== gone) [gone, since] = [nowGone, performance.now()];
      const pauseMs = gone === '' ? MAX_WAIT_MS : GONE_PAUSE_MS;
      await sleep(Math.min(Math.max(otherMs, SHORTEST_WAIT_MS), pauseMs), undefined, { signal });
    }
  }

  /** Keeps the lease until the signal aborts. @throws TandemError FENCED when another process has taken it */
  async keep(signal: AbortSignal): Promise<void> {
    for (;;) {
      await this.#renewal.wait(signal, this.#options.leaseMs / RENEWALS);
      const [token] = await this.#ask('keep');
      if (token === this.#token) continue;
      // With a token it has just been taken anew: nobody else had it.
      throw new TandemError(
        'FENCED',
        token > 0 ? 'the lease ended before it was renewed' : 'another process has taken over this site',
        {
          hint:
            token > 0
              ? 'This process or its Redis stood still for longer than leaseMs. Again and again: give them more processor time, or raise leaseMs.'
              : 'This process waits, and takes over when the other one ends.',
        },
      );
    }
  }

  /** Gives the lease back, so that another process need not wait for its end. */
  async release(): Promise<void> {
    const { client, keys } = this.#options;
    await runScript(client, 'release-lease', [keys.lease], [this.#process]);
  }

  async #ask(what: 'take' | 'keep', gone = ''): Promise<[token: number, otherMs: number, gone: string]> {
    const { client, keys, leaseMs } = this.#options;
    const args = [this.#process, leaseMs, what, gone];
    return (await runScript(client, 'take-lease', [keys.lease, keys.fence], args)) as [
      number,
      number,
      string,
    ];
  }
}
