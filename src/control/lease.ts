/**
 * The lease: which of several processes started for one site works. Whoever takes it gets a fencing token that rises each
 * time, and every write checks the token, so a process that was paused and wakes up late can do no harm, nor can a command that
 * arrives on a connection its own process has given up.
 */

import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { TandemError } from '../errors.js';
import type { Logger } from '../log.js';
import { runScript } from '../lua/scripts.js';
import type { KeyNames } from '../redis/keys.js';

export interface LeaseOptions {
  readonly client: Redis;
  readonly keys: KeyNames;
  readonly leaseMs: number;
  readonly log: Logger;
}

/** Renewals within one lease: two may be lost before it ends. */
const RENEWALS = 3;
/** A waiting process asks at least this often. */
const MAX_WAIT_MS = 1000;

export class Lease {
  readonly #options: LeaseOptions;
  readonly #process = randomUUID();
  #token = 0;

  constructor(options: LeaseOptions) {
    this.#options = options;
  }

  /** Waits until this process has the lease; gives the fencing token. */
  async acquire(signal: AbortSignal, onWaiting: () => void): Promise<number> {
    for (;;) {
      signal.throwIfAborted();
      const [token, otherMs] = await this.#ask('take');
      if (token > 0) return (this.#token = token);
      onWaiting();
      await sleep(Math.min(Math.max(otherMs, 20), MAX_WAIT_MS), undefined, { signal });
    }
  }

  /** Keeps the lease until the signal aborts. @throws TandemError FENCED when another process has taken it */
  async keep(signal: AbortSignal): Promise<void> {
    for (;;) {
      await sleep(this.#options.leaseMs / RENEWALS, undefined, { signal });
      const [token] = await this.#ask('keep');
      if (token !== this.#token) throw new TandemError('FENCED', 'another process has taken over this site');
    }
  }

  /** Gives the lease back, so that another process need not wait for its end. */
  async release(): Promise<void> {
    const { client, keys } = this.#options;
    await runScript(client, 'release', [keys.lease], [this.#process]);
  }

  async #ask(what: 'take' | 'keep'): Promise<[token: number, otherMs: number]> {
    const { client, keys, leaseMs } = this.#options;
    return (await runScript(client, 'lease', [keys.lease, keys.fence], [this.#process, leaseMs, what])) as [
      number,
      number,
    ];
  }
}
