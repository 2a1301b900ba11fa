import type { GapEvents } from '../protocol/gap.js';
import type { Position } from '../protocol/position.js';
import type { Config } from '../config/config.js';
import { TandemError } from '../errors.js';
import type { Logger } from '../log/log.js';
import { answerOf, type Redis } from '../redis/connect.js';
import type { KeyNames } from '../redis/keys.js';
import { parseInfo } from '../redis/server-facts.js';
import { beginEpoch, isUnused, type Memory, type OpenedState } from './history.js';

/** Where the server begins to send its replication stream. */
export interface StreamStart {
  readonly replid: string;
  readonly offset: number;
  /** Whether it goes on where it was asked to. */
  readonly resumed: boolean;
}

/**
 * Where the stream is to go on: at the saved position, as a rule. A server that was ended in order and has its data from an RDB file goes
 * on counting where it ended (Redis 7.0 and newer). It has nothing of the stream before that. The saved position is never at the very
 * end, since saving it is a write. If this process has read to the very end, and all of that is in Redis, nothing was missed, and it goes
 * on there. If anything more was written, the server refuses that place too.
 */
export async function goOnAt({
  local,
  config,
  opened,
  memory,
}: {
  local: Redis;
  config: Config;
  opened: OpenedState;
  memory: Memory;
}): Promise<Position | undefined> {
  const { position: saved, epoch, next } = opened;
  const { readThrough: read } = memory;
  if (!saved || !read || config.streamUrl !== null) return saved;
  if (read.replid !== saved.replid || epoch !== memory.epoch || next !== memory.next) return saved;
  const info = parseInfo(await answerOf(local, local.info('replication')));
  const begins = Number(info.get('repl_backlog_first_byte_offset'));
  const isContinued = info.get('master_replid2') === saved.replid;
  return isContinued && saved.offset + 1 < begins && read.offset + 1 >= begins ? read : saved;
}

/**
 * The position at which capture begins. When it cannot be the saved one, or the server's history is another, a new epoch is noted, and
 * the site begins again in it.
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
    events: Pick<GapEvents, 'gap'>;
  },
): Promise<Position> {
  const { local, keys, token, opened, clock, log, events } = site;
  const { replid, offset, resumed } = start;
  const { applied } = opened;
  const position: Position =
    resumed && opened.position
      ? { ...opened.position, replid }
      : { replid, offset, database: 0, seen: applied.sequence, seenEpoch: applied.epoch };
  if (!opened.position && opened.isForgotten) {
    events.gap('own');
    log.error(
      { offset },
      'the place in the replication stream is gone with the key it stood in: the sites must be compared',
    );
  }
  if (!opened.position || (resumed && replid === opened.position.replid)) return position;
  if (!resumed && isUnused(opened)) {
    // A server that was started once more before its stream was read: one gap with the last.
    events.gap('own', true);
    log.info({ offset }, 'the server was started once more before its stream was read');
  } else if (!resumed) {
    events.gap('own');
    log.error(
      { wanted: opened.position.offset, offset },
      'the replication stream no longer reaches back to the saved position: changes were missed, the sites must be compared',
    );
  }
  const { epoch, next, last } = opened;
  await beginEpoch({ local, keys, token, epoch, next, last, position, clock, isWhole: resumed });
  if (!resumed)
    throw new TandemError('STREAM_GAP', 'the history of this site was cut; it goes on in a new epoch');
  // How far the peer has received the old history shows later whether any of it was lost.
  throw new TandemError(
    'EPOCH',
    'the server has begun a new history, after a failover or a restart: so does this site',
  );
}
