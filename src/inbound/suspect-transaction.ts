/** A transaction that failed in part just before its process died: which commands failed is unknown. */

import type { Redis } from 'ioredis';
import { decodeBatch, lastSequence, plainLength } from '../protocol/batch.js';
import { answerOf } from '../redis/connect.js';
import type { KeyNames } from '../redis/keys.js';
import type { Inbox } from './inbox.js';
import type { Rejections } from './rejections.js';

export interface SuspectTransaction {
  readonly local: Redis;
  readonly keys: KeyNames;
  readonly pair: string;
  readonly peer: string;
  /** Where the application of the peer's changes stands: at the end of the suspect run. */
  readonly applied: { readonly epoch: number; readonly sequence: number };
  readonly rejections: Rejections;
  readonly inbox: Pick<Inbox, 'rewindAtStart'>;
}

/**
 * Lists the failure. Its batch is still the first in the inbox. If it is not, the list is damaged, and the peer delivers again all that
 * is not applied.
 */
export async function settleSuspect(run: SuspectTransaction): Promise<void> {
  const { local, keys, pair, peer, rejections, inbox } = run;
  const { epoch, sequence } = run.applied;
  const bytes = await answerOf(local, local.lindexBuffer(keys.inbox, 0));
  const head = bytes === null ? undefined : decodeBatch(bytes);
  if (bytes && head?.epoch === epoch && lastSequence(head) === sequence) {
    await rejections.settleUnknown({ ...head, length: bytes.length, plainLength: plainLength(bytes) });
    return;
  }
  await rejections.settleUnknown({
    pair,
    origin: peer,
    epoch,
    first: sequence,
    changes: 1,
    commands: 0,
    timestamp: 0,
    seenEpoch: 0,
    seen: 0,
    special: 0,
    groups: [],
    payload: Buffer.alloc(0),
    length: 0,
    plainLength: 0,
  });
  await inbox.rewindAtStart();
}
