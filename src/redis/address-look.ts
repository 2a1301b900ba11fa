/**
 * Whether the address of a server leads to another one by now: a virtual address that was moved, a service, a name in the DNS. An
 * open connection does not tell: it stays at the server that it was opened to, which may take writes for as long as it lives.
 */

import { setTimeout as sleep } from 'node:timers/promises';
import type { ConnectionOptions } from 'node:tls';
import type { RedisAddress } from '../config/redis-url.js';
import { RawConnection } from './raw-connection.js';

export interface AddressLookOptions {
  readonly address: RedisAddress;
  readonly tls: ConnectionOptions;
  /** Shown in CLIENT LIST. */
  readonly name: string;
  readonly connectTimeoutMs: number;
}

/** A server as a new connection finds it. */
export interface ServerFound {
  /** Another one after each start of the server; nothing where it does not tell. */
  readonly runId: string | undefined;
  readonly isPrimary: boolean;
}

/** So many new connections in a row have to lead to one and the same other primary. */
const LOOKS_TO_LEAVE = 3;
/** An address that leads to and fro needs twice as many each time it has come back; this many at the most. */
const MAX_LOOKS_TO_LEAVE = 96;
const LOOK_PAUSE_MS = 250;
/** After so many looks in a row that found the server itself, the address counts as one that stays. */
const CALM_LOOKS = 20;

/** `run_id` and role in an INFO. */
export function serverIn(info: string): ServerFound {
  return {
    runId: /^run_id:(\w+)\r?$/m.exec(info)?.[1],
    isPrimary: !isReplica(info),
  };
}

/** Whether the server says that it is a replica: one that does not tell may be a primary. */
export function isReplica(info: string): boolean {
  return /^role:slave\r?$/m.test(info);
}

export class AddressLook {
  readonly #open: () => AddressLookOptions;
  #needed = LOOKS_TO_LEAVE;
  #calm = 0;

  constructor(open: () => AddressLookOptions) {
    this.#open = open;
  }

  /**
   * Opens new connections, one after the other, and lets go of them. True: all have led to one other server, which says that it is a
   * primary. A balancer that spreads connections over several servers leads back sooner or later: from then on more are needed.
   * @param ownRunId of the server that is worked with
   */
  async leadsElsewhere(ownRunId: string, signal: AbortSignal): Promise<boolean> {
    let other: string | undefined;
    for (let looks = 0; looks < this.#needed; looks++) {
      if (looks > 0) await sleep(LOOK_PAUSE_MS, undefined, { signal });
      const found = await this.#look(signal);
      if (found?.runId === ownRunId) this.#foundAgain(looks > 0);
      const isOther = found?.runId !== undefined && found.runId !== ownRunId && found.isPrimary;
      if (!isOther || found.runId !== (other ?? found.runId)) return false;
      this.#calm = 0;
      other = found.runId;
    }
    return true;
  }

  #foundAgain(isBack: boolean): void {
    if (isBack) this.#needed = Math.min(this.#needed * 2, MAX_LOOKS_TO_LEAVE);
    else if (++this.#calm >= CALM_LOOKS) this.#needed = LOOKS_TO_LEAVE;
  }

  /** The server that a new connection finds; undefined where there is no connection. */
  async #look(signal: AbortSignal): Promise<ServerFound | undefined> {
    let connection: RawConnection | undefined;
    try {
      const options = this.#open();
      connection = await RawConnection.open({ ...options, signal });
      connection.watchSilence({ limitMs: options.connectTimeoutMs });
      return await serverAt(connection);
    } catch {
      signal.throwIfAborted();
      return undefined;
    } finally {
      connection?.close();
    }
  }
}

/** @throws TandemError why it does not tell */
export async function serverAt(connection: RawConnection): Promise<ServerFound> {
  const replies = await Promise.all([
    connection.command('INFO', 'server'),
    connection.command('INFO', 'replication'),
  ]);
  return serverIn(replies.map((reply) => (Buffer.isBuffer(reply) ? reply.toString() : '')).join(''));
}
