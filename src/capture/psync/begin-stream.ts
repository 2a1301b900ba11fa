/**
 * Where a server's stream can be read from now on. `PSYNC ? -1` gives that with a snapshot, which a server may make 5 s later
 * (`repl-diskless-sync-delay`). Writes in between are in no stream that is read. But the server keeps a backlog from the moment at which
 * the first replica asks, and lets another one go on at its end: nothing to wait for, and no snapshot. Source: `replication.c`
 * (syncCommand, masterTryPartialResync).
 */

import { setTimeout as sleep } from 'node:timers/promises';
import type { RawConnection } from '../../redis/raw-connection.js';
import { requestStream, type StreamStart } from './request-stream.js';

/** A place in a stream: as much of it as `PSYNC` names. */
interface Place {
  readonly replid: string;
  readonly offset: number;
}

/** How often it is looked whether there is a backlog yet. */
const LOOKS = 40;
const LOOK_MS = 5;

/** A server's account of its stream. */
interface Backlog {
  readonly replid: string;
  readonly formerReplid: string;
  /** Offset of the newest byte. */
  readonly offset: number;
  readonly isKept: boolean;
  /** Offset of the oldest byte that is kept. */
  readonly first: number;
}

/**
 * Asks for the stream at `from`, or at the present where the server cannot go on there.
 * @param openAnother a further connection to the same server
 * @throws TandemError as `requestStream` does
 */
export async function beginStream(
  connection: RawConnection,
  from: Place | undefined,
  openAnother: () => Promise<RawConnection>,
): Promise<StreamStart> {
  const found = await backlogOf(connection);
  if (!found || (from && mayHave(found, from))) return requestStream(connection, from);
  if (found.isKept) return atPresent(connection, found);
  const opener = await openAnother();
  try {
    // Not waited for: its answer may take as long as the snapshot.
    requestStream(opener).catch(() => {});
    const begun = await begunBacklog(connection);
    return begun ? await atPresent(connection, begun) : await requestStream(connection, from);
  } finally {
    opener.close();
  }
}

async function atPresent(connection: RawConnection, place: Place): Promise<StreamStart> {
  return { ...(await requestStream(connection, place)), resumed: false };
}

async function begunBacklog(connection: RawConnection): Promise<Backlog | undefined> {
  for (let look = 0; look < LOOKS; look++) {
    await sleep(LOOK_MS);
    const found = await backlogOf(connection);
    if (!found || found.isKept) return found;
  }
  return undefined;
}

function mayHave({ replid, formerReplid, isKept, first }: Backlog, wanted: Place): boolean {
  if (!isKept) return false;
  return wanted.replid === formerReplid || (wanted.replid === replid && wanted.offset + 1 >= first);
}

async function backlogOf(connection: RawConnection): Promise<Backlog | undefined> {
  const reply = await connection.command('INFO', 'replication').catch(() => undefined);
  if (!Buffer.isBuffer(reply)) return undefined;
  const field = (name: string): string =>
    new RegExp(`^${name}:(.*?)\r?$`, 'm').exec(String(reply))?.[1] ?? '';
  const number = (name: string): number => Number(field(name));
  return {
    replid: field('master_replid'),
    formerReplid: field('master_replid2'),
    offset: number('master_repl_offset'),
    isKept: field('repl_backlog_active') === '1',
    first: number('repl_backlog_first_byte_offset'),
  };
}
