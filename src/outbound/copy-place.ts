/** Where in this site's history a copy of its data stands, of which the place in the replication stream is known. */

import { decodeSealed } from '../protocol/batch.js';
import { decodeEnds } from '../protocol/stream-ends.js';
import type { ChangeIndex } from './change-index.js';
import type { ReadProgress } from './courier-options.js';

/** The moment at which a copy was made, as the copy says. */
export interface CopyMoment {
  /** Epoch of the history, which has one replication stream, and the sequence that was the next one to be appended. */
  readonly epoch: number;
  readonly next: number;
  /** How far the stream had come: what the data is of. It is at or behind the last change appended. */
  readonly offset: number;
}

export interface HistoryPlace {
  readonly epoch: number;
  readonly sequence: number;
}

/** The list of changes, as far as a place is looked for in it. */
export interface ListedHistory {
  readonly index: Pick<ChangeIndex, 'at' | 'find' | 'size'>;
  /** The newest sequence that is no more in the list, and the newest there is, or ever was. */
  readonly trimmed: number;
  readonly last: number;
  readonly appendedThrough: number;
  fetch(sequence: number): Promise<Buffer | undefined>;
}

/** The present: the epoch, and how far the stream is read. */
export interface Now {
  readonly epoch: number;
  readonly progress: Pick<ReadProgress, 'readThrough'>;
}

/**
 * The last change that the copy has, the place being between changes. `unknown` when the list no longer reaches back to it, or the
 * history has moved on; `later` when the stream is not read so far yet, or the list was changed meanwhile.
 */
export async function placeOfCopy(
  moment: CopyMoment,
  list: ListedHistory,
  now: Now,
): Promise<HistoryPlace | 'unknown' | 'later'> {
  const { index } = list;
  const { epoch, offset } = moment;
  if (list.trimmed >= moment.next || epoch > now.epoch) return 'unknown';
  const head = index.at(0)?.first;
  let low = index.find(moment.next);
  let high = index.size;
  // The first batch that does not end at or before the offset.
  while (low < high) {
    const middle = (low + high) >> 1;
    const entry = index.at(middle);
    const ends = entry?.epoch === epoch ? await endsOf(list, entry.first) : [];
    if (ends === undefined || index.at(0)?.first !== head) return 'later';
    if (entry!.epoch > epoch || (ends.at(-1) ?? 0) > offset) high = middle;
    else low = middle + 1;
  }
  const entry = index.at(low);
  if (!entry) return epoch === now.epoch ? atTheEnd(list, now, offset) : 'unknown';
  if (entry.epoch !== epoch) return 'unknown';
  const ends = await endsOf(list, entry.first);
  if (ends === undefined || index.at(0)?.first !== head) return 'later';
  if (ends.length !== entry.last - entry.first + 1) return 'unknown';
  const had = ends.filter((end) => end <= offset).length;
  if (had > 0) return { epoch, sequence: entry.first + had - 1 };
  const isFirstOfEpoch = entry.previous !== entry.first - 1;
  return { epoch: isFirstOfEpoch ? epoch - 1 : epoch, sequence: entry.previous };
}

/** The place behind all changes there are, in an epoch in which what follows it is taken. */
export function newestPlace(list: Omit<ListedHistory, 'fetch'>, epoch: number): HistoryPlace {
  const newest = list.index.at(list.index.size - 1);
  const isCurrent = list.last === list.appendedThrough;
  return { epoch: newest?.epoch ?? (isCurrent ? epoch : epoch - 1), sequence: list.last };
}

function atTheEnd(list: ListedHistory, { epoch, progress }: Now, offset: number): HistoryPlace | 'later' {
  const read = progress.readThrough?.offset;
  return read === undefined || read < offset ? 'later' : newestPlace(list, epoch);
}

/** Where the changes of a batch end; undefined when it is not in the list any more. */
async function endsOf(list: ListedHistory, sequence: number): Promise<number[] | undefined> {
  const bytes = await list.fetch(sequence);
  return bytes && decodeEnds(decodeSealed(bytes).ends ?? Buffer.alloc(0));
}
