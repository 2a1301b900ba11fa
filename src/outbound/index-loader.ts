import type { Redis } from 'ioredis';
import { decodeBatch, lastSequence, type Batch } from '../protocol/batch.js';
import { TandemError } from '../errors.js';
import type { Logger } from '../log/log.js';
import { runScript } from '../lua/scripts.js';
import { answerOf } from '../redis/connect.js';
import type { KeyNames } from '../redis/keys.js';
import type { ChangeIndex } from './change-index.js';

/** Batches one read from the list brings. */
const READ_BATCHES = 16;

/**
 * Fills the index with what the change list in Redis holds, and shows every batch, oldest first. An element that is no batch of this
 * site's is taken off the list: another client has put it there. Gives the bytes of the list.
 */
export async function loadIndex(options: {
  readonly client: Redis;
  readonly keys: KeyNames;
  readonly token: number;
  readonly pair: string;
  readonly site: string;
  /** The newest sequence that was taken off the list. */
  readonly trimmed: number;
  readonly log: Logger;
  readonly index: ChangeIndex;
  readonly onBatch: (batch: Batch) => void;
}): Promise<number> {
  const { client, keys, token, pair, site, trimmed, log, index, onBatch } = options;
  let bytes = 0;
  const foreign: Buffer[] = [];
  for (let at = 0; ; at += READ_BATCHES) {
    const elements = await answerOf(client, client.lrangeBuffer(keys.changes, at, at + READ_BATCHES - 1));
    for (const element of elements) {
      const before = index.newest;
      const batch = readable(element);
      if (batch?.pair !== pair || batch.origin !== site || batch.first <= (before?.last ?? 0)) {
        foreign.push(element);
        continue;
      }
      bytes += element.length;
      index.push({
        epoch: batch.epoch,
        first: batch.first,
        last: lastSequence(batch),
        // Between two epochs numbers are left out; within one a difference means that a batch is missing.
        previous: batch.epoch === before?.epoch ? batch.first - 1 : (before?.last ?? trimmed),
        length: element.length,
        timestamp: batch.timestamp,
      });
      onBatch(batch);
    }
    if (elements.length < READ_BATCHES) break;
  }
  if (foreign.length > 0) {
    log.error(
      { elements: foreign.length },
      'the change list held what is no batch of this site, which was taken off',
    );
    await runScript(client, 'remove-foreign-batches', [keys.changes, keys.fence], [token, ...foreign]);
  }
  return bytes;
}

function readable(element: Buffer): Batch | undefined {
  try {
    return decodeBatch(element);
  } catch (error) {
    if (error instanceof TandemError && error.code === 'BATCH_INVALID') return undefined;
    throw error;
  }
}
