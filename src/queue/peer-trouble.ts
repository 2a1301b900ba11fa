import type { TandemError } from '../errors.js';
import { type Redis, refusalOf, whereOf } from '../redis/connect.js';

/** Something at the peer that may pass: the courier backs off and tries again. */
export class PeerTrouble extends Error {
  readonly reason: TandemError;

  constructor(reason: TandemError) {
    super(reason.message, { cause: reason });
    this.reason = reason;
  }
}

/** Marks what goes wrong at the peer, so that it is told from what goes wrong here. @throws PeerTrouble */
export async function fromPeer<T>(client: Redis, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    const reason = refusalOf(error, whereOf(client));
    // A socket nobody answers on may stay open for a quarter of an hour: a new one is better.
    if (reason.code === 'TIMEOUT' && client.status === 'ready') client.disconnect(true);
    throw new PeerTrouble(reason);
  }
}
