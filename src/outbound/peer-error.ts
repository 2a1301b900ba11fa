import { TandemError } from '../errors.js';
import { type Redis, refusalOf, whereOf } from '../redis/connect.js';

/** Something at the peer that may pass: the courier backs off and tries again. */
export class PeerError extends Error {
  readonly reason: TandemError;

  constructor(reason: TandemError) {
    super(reason.message, { cause: reason });
    this.reason = reason;
  }
}

/** Marks what goes wrong at the peer, so that it is told from what goes wrong here. @throws PeerError */
export async function fromPeer<T>(client: Redis, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    const reason = refusalOf(error, whereOf(client));
    // A socket without answers may stay open for a quarter of an hour: a new one is better.
    if (reason.code === 'TIMEOUT' && client.status === 'ready') client.disconnect(true);
    throw new PeerError(reason);
  }
}

/** The error for a verdict of the peer's scripts that lets nothing through. */
export function refusedBy(verdict: string, details: { epoch: number; received: number }): PeerError {
  if (verdict === 'gap')
    return new PeerError(
      new TandemError('EPOCH', 'the peer refuses, twice at the same place, what follows there', { details }),
    );
  if (verdict === 'unready')
    return new PeerError(
      new TandemError('PEER_NOT_READY', "Tandem's keys at the peer are missing", {
        hint: 'they come back when Tandem works there',
      }),
    );
  return new PeerError(
    new TandemError('WRONG_PAIR', `the peer refuses this site's changes: ${verdict}`, { details }),
  );
}
