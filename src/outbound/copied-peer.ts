/**
 * A peer whose Redis was brought up from a copy of this site's. Before a process works there, `tandem adopt` asks in the key `in:copy`
 * how far in this site's history the copy is. Only this site knows, and answers in the same key.
 */

import { restOfBatch } from '../protocol/batch-rest.js';
import { TandemError } from '../errors.js';
import { runScript } from '../lua/scripts.js';
import type { ListedBatch } from './listed-batch.js';
import { newestPlace, placeOfCopy, type ListedHistory } from './copy-place.js';
import type { CourierOptions } from './courier-options.js';
import { fromPeer, PeerError } from './peer-error.js';

export type CopiedPeerOptions = Pick<
  CourierOptions,
  'client' | 'keys' | 'site' | 'peer' | 'epoch' | 'log' | 'progress' | 'peerHistory' | 'events'
> & { readonly list: ListedHistory };

const COPY = new TandemError('PEER_NOT_READY', "the peer's Redis is a copy of this one, not taken over yet", {
  hint: 'let tandem adopt come to its end there',
});

/**
 * Answers the question of a copy, if there is one that is not answered.
 * @throws PeerError PEER_NOT_READY as long as the peer's Redis is a copy that was not taken over
 * @param onNamed a sequence is about to be known at the peer: no other change may get it any more
 */
export async function answerCopy(
  options: CopiedPeerOptions,
  onNamed: (sequence: number) => void,
): Promise<void> {
  const { client, keys, site, peer, epoch, list, log, events } = options;
  const fields = ['id', 'site', 'of', 'place', 'epoch', 'next', 'offset', 'applied'] as const;
  const asked = await fromPeer(client, client.hmget(keys.copy, ...fields));
  const [id, whose, of, place, itsEpoch, next, offset, applied] = asked;
  if (id == null || whose !== peer || of !== site) return;
  if (place != null) throw new PeerError(COPY);
  const history = await options.peerHistory();
  const isSame = Number(applied) === history.applied && history.received === history.applied;
  const moment = { epoch: Number(itsEpoch), next: Number(next), offset: Number(offset) };
  const isKnown = isSame && offset !== '' && Object.values(moment).every(Number.isSafeInteger);
  const found = isKnown ? await placeOfCopy(moment, list, options) : 'unknown';
  if (found === 'later') throw new PeerError(COPY);
  const isExact = found !== 'unknown';
  const { sequence, epoch: placeEpoch } = isExact ? found : newestPlace(list, epoch);
  const answer = {
    place: sequence,
    placeEpoch,
    isExact: Number(isExact),
    received: history.received,
    receivedEpoch: history.receivedEpoch,
  };
  onNamed(sequence);
  const args = [id, ...Object.entries(answer).flat()];
  if ((await fromPeer(client, runScript(client, 'answer-copy', [keys.copy], args))) !== 1)
    throw new PeerError(COPY);
  if (isExact) log.info({ sequence }, "the peer's Redis is a copy of this one, and what follows it is sent");
  else {
    events.gap('own');
    log.error(
      { sequence, isSame, trimmed: list.trimmed },
      "the peer's Redis is a copy of this one, of which it cannot be told what it has: the sites must be compared",
    );
  }
  throw new PeerError(COPY);
}

/** A copy may be of a moment between two changes of a batch: what it has is not sent once more. */
export function behind(batch: ListedBatch, from: number): ListedBatch {
  return { ...batch, first: from, previous: from - 1, bytes: restOfBatch(batch.bytes, from) };
}
