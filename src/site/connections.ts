/**
 * The raw connections of one session. They go to the very server that the session's client is connected to. A session must not write to
 * one server and read the stream of another: it would take the writes of either for those of both.
 */

import type { Config } from '../config/config.js';
import type { RedisAddress } from '../config/redis-url.js';
import { isSentinelTarget, parseTarget } from '../config/sentinel-url.js';
import { TandemError } from '../errors.js';
import { ReplicationStream } from '../capture/psync/replication-stream.js';
import { serverAt } from '../redis/address-look.js';
import { addressOf, asksSentinels, requirePrimary, whereOf, type Redis } from '../redis/connect.js';
import { runIdOf } from '../redis/primary.js';
import { RawConnection } from '../redis/raw-connection.js';
import { findPrimary, isSame } from '../redis/sentinel.js';
import { tlsOptions } from '../redis/tls-options.js';

/** An idle connection is tried this often. */
const PING_MS = 15_000;

export interface Session {
  readonly config: Config;
  /** The client of the session's commands, connected. */
  readonly local: Redis;
  readonly signal: AbortSignal;
}

/** The connection that the peer's changes are applied on. @throws TandemError as `RawConnection.open` does */
export async function openApplyConnection({ config, local, signal }: Session): Promise<RawConnection> {
  const address = addressOf(local);
  const connection = await RawConnection.open({
    address,
    tls: tlsOptions(config.tls, address.host),
    name: `tandem:${config.site}:apply`,
    connectTimeoutMs: config.connectTimeoutMs,
    signal,
  });
  await confirmOwn(connection, local);
  connection.watchSilence({ limitMs: config.commandTimeoutMs, pingMs: PING_MS });
  return connection;
}

/**
 * The stream of the session's server, or of the one that is configured for it.
 * @throws TandemError as `ReplicationStream.open` does; SERVER_BUSY when the Sentinels name another primary than the session's
 */
export async function openStream(
  { config, local, signal }: Session,
  from: { readonly replid: string; readonly offset: number } | undefined,
): Promise<ReplicationStream> {
  const { tls, site, connectTimeoutMs } = config;
  const { address, confirm } = await streamSource({ config, local, signal });
  return ReplicationStream.open({
    address,
    tls: tlsOptions(tls, address.host),
    name: `tandem:${site}:stream`,
    connectTimeoutMs,
    from,
    signal,
    ...(confirm ? { confirm } : {}),
  });
}

interface StreamSource {
  readonly address: RedisAddress;
  /** Throws unless the server's stream may be read. A replica that is configured need not be the session's server. */
  readonly confirm?: (connection: RawConnection) => Promise<void>;
}

async function streamSource({ config, local, signal }: Session): Promise<StreamSource> {
  const { streamUrl, tls, connectTimeoutMs } = config;
  const own = addressOf(local);
  if (streamUrl === null) return { address: own, confirm: (connection) => confirmOwn(connection, local) };
  const target = parseTarget(streamUrl);
  if (!isSentinelTarget(target)) return { address: target };
  const address = await findPrimary({ target, tls, connectTimeoutMs, signal });
  if (asksSentinels(local) && !isSame(address, own))
    throw new TandemError(
      'SERVER_BUSY',
      `the Sentinels of streamUrl name another primary than ${whereOf(local)}`,
    );
  return { address, confirm: (connection) => confirmPrimary(connection, whereOf(local)) };
}

/**
 * The connection leads to the session's server, and that is a primary: behind a virtual address it may lead to another one by now.
 * @throws TandemError SERVER_BUSY
 */
async function confirmOwn(connection: RawConnection, local: Redis): Promise<void> {
  const where = whereOf(local);
  if (asksSentinels(local)) return confirmPrimary(connection, where);
  try {
    const { runId, isPrimary } = await serverAt(connection);
    if (!isPrimary) throw new TandemError('SERVER_BUSY', `${where} leads to a replica`);
    const own = await runIdOf(local);
    if (runId !== undefined && own !== undefined && runId !== own)
      throw new TandemError('SERVER_BUSY', `${where} leads to another server than a moment ago`, {
        hint: 'It is tried again. If it stays so, the address leads to several servers: give one that leads to the primary alone.',
      });
  } catch (error) {
    connection.close();
    throw error;
  }
}

/** @throws TandemError SERVER_BUSY */
async function confirmPrimary(connection: RawConnection, where: string): Promise<void> {
  try {
    const info = await connection.command('INFO', 'replication');
    requirePrimary(Buffer.isBuffer(info) ? info.toString() : '', where);
  } catch (error) {
    connection.close();
    throw error;
  }
}
