import { decodeSealed } from '../protocol/batch.js';
import { TandemError } from '../errors.js';
import type { Entry } from './change-index.js';

/** A batch on its way to the peer. */
export interface ListedBatch extends Pick<Entry, 'epoch' | 'first' | 'last' | 'previous'> {
  readonly bytes: Buffer;
}

/** A batch as the index knows it, with its bytes. */
export function listed({ epoch, first, last, previous }: Entry, bytes: Buffer): ListedBatch {
  return { epoch, first, last, previous, bytes };
}

/** The batch that was read, if it is the one that was appended there. @throws TandemError STATE_LOST */
export function asAppended(entry: Entry, bytes: Buffer | null | undefined): Buffer {
  if (bytes?.length === entry.length && decodeSealed(bytes).first === entry.first) return bytes;
  throw new TandemError('STATE_LOST', 'the change list holds something else than was appended', {
    details: { sequence: entry.first },
  });
}
