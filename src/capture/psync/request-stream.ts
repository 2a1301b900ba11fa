/**
 * Asks a Redis for its replication stream as a replica would.
 * Source: `replication.c` (syncWithMaster, masterTryPartialResync); `rdb-filter-only` is Redis 7.0 and later.
 */

import { encodeCommand } from '../../redis-commands/encode-command.js';
import type { RawConnection } from '../../redis/raw-connection.js';
import { ErrorReply } from '../../redis/reply-reader.js';
import { TandemError } from '../../errors.js';

/** Where the stream begins. `resumed` is false when it does not go on where it was wanted to. */
export interface StreamStart {
  readonly replid: string;
  readonly offset: number;
  readonly resumed: boolean;
  /** Whether a snapshot stands before it. */
  readonly hasSnapshot: boolean;
}

/**
 * After this the connection sends, for a stream that is not resumed, a snapshot (see snapshot-skipper.ts) and then commands;
 * for a resumed one, commands at once.
 * @param from where to go on, or nothing to begin at the present
 * @throws TandemError NO_PERMISSION, STREAM_REFUSED, SERVER_BUSY … worded for the user
 */
export async function requestStream(
  connection: RawConnection,
  from?: { replid: string; offset: number },
): Promise<StreamStart> {
  await connection.command('REPLCONF', 'capa', 'eof', 'capa', 'psync2');
  await connection.command('REPLCONF', 'rdb-filter-only', '').catch((error: unknown) => {
    // Servers before 7.0 do not know the filter: then the snapshot is read and thrown away.
    if (!(error instanceof TandemError) || error.code === 'UNREACHABLE' || error.code === 'CLOSED')
      throw error;
  });
  const asked = connection.replies.lastValue();
  connection.write([encodeCommand(from ? ['PSYNC', from.replid, from.offset + 1] : ['PSYNC', '?', -1])]);
  const reply = await asked;
  if (reply instanceof ErrorReply) throw connection.refusal(reply, 'PSYNC');
  const text = typeof reply === 'string' ? reply : '';
  const [word, replid, offset] = text.split(' ');
  if (word === 'FULLRESYNC' && replid !== undefined && offset !== undefined)
    return { replid, offset: Number(offset), resumed: false, hasSnapshot: true };
  // After a failover the server names its new history; without a name the old one goes on.
  if (word === 'CONTINUE' && from)
    return { replid: replid ?? from.replid, offset: from.offset, resumed: true, hasSnapshot: false };
  throw new TandemError('STREAM_REFUSED', 'the server answered PSYNC with something unknown', {
    details: { reply: text.slice(0, 80) },
  });
}
