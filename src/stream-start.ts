import type { Position } from './change/position.js';
import { TandemError } from './errors.js';
import type { Logger } from './log.js';
import type { Redis } from './redis/connect.js';
import type { KeyNames } from './redis/keys.js';
import { beginEpoch, type OpenedState } from './site-state.js';

/** Where the server begins to send its replication stream. */
export interface StreamStart {
  readonly replid: string;
  readonly offset: number;
  /** Whether it goes on where it was asked to. */
  readonly resumed: boolean;
}

/**
 * The position at which capture begins. When it cannot be the saved one, or the server's history is another than the saved one,
 * a new epoch of this site is noted, and the site is to begin again in it.
 * @throws TandemError STREAM_GAP: changes were missed; EPOCH: the history is another, and nothing is known to be missing
 */
export async function beginAt(
  start: StreamStart,
  site: {
    local: Redis;
    keys: KeyNames;
    token: number;
    opened: OpenedState;
    clock: number;
    log: Logger;
    onGap: () => void;
  },
): Promise<Position> {
  const { local, keys, token, opened, clock, log, onGap } = site;
  const { replid, offset, resumed } = start;
  const { applied } = opened;
  const position: Position =
    resumed && opened.position
      ? { ...opened.position, replid }
      : { replid, offset, database: 0, seen: applied.sequence, seenEpoch: applied.epoch };
  if (!opened.position || (resumed && replid === opened.position.replid)) return position;
  if (!resumed) {
    onGap();
    log.error(
      { wanted: opened.position.offset, offset },
      'the replication stream no longer reaches back to the saved position: changes were missed, the sites must be compared',
    );
  }
  const { epoch, next, last } = opened;
  await beginEpoch({ local, keys, token, epoch, next, last, position, clock });
  if (!resumed)
    throw new TandemError('STREAM_GAP', 'the history of this site was cut; it goes on in a new epoch');
  // What the peer has received of the old history shows later whether anything of it was lost.
  throw new TandemError(
    'EPOCH',
    'the server has begun a new history, after a failover or a restart: so does this site',
  );
}
