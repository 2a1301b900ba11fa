import type { Redis } from 'ioredis';
import { answerOf } from '../redis/connect.js';
import type { KeyNames } from '../redis/keys.js';

/** How far the peer's changes have come at this site. */
export interface PeerHistory {
  readonly applied: number;
  readonly received: number;
  readonly receivedEpoch: number;
}

/** Reads what the peer has delivered. @param applied its highest sequence that is applied here */
export async function peerHistory(local: Redis, keys: KeyNames, applied: number): Promise<PeerHistory> {
  const [received, epoch] = await answerOf(local, local.hmget(keys.received, 'n', 'epoch'));
  return { applied, received: Number(received), receivedEpoch: Number(epoch) };
}
