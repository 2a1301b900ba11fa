/**
 * The raw connections of one session. They go to the very server that the session's client is connected to: a session that wrote
 * to one server and read the stream of another would take the writes of either for those of both.
 */

import type { Config } from './config.js';
import type { RedisAddress } from './config/redis-url.js';
import { isSentinelTarget, parseTarget } from './config/sentinel-url.js';
import { TandemError } from './errors.js';
import { ReplicationStream } from './capture/stream.js';
import { addressOf, asksSentinels, requirePrimary, whereOf, type Redis } from './redis/connect.js';
import { RawConnection } from './redis/raw-connection.js';
import { findPrimary, isSame } from './redis/sentinel.js';
import { tlsOptions } from './redis/tls-options.js';

/** An idle connection is tried this often. */
const PING_MS = 15_000;

export interface Session {
  readonly config: Config;
  /** What the session's commands go through, connected. */
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
  if (asksSentinels(local)) await confirmPrimary(connection, whereOf(local));
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
  const { address, isNamed } = await streamSource({ config, local, signal });
  return ReplicationStream.open({
    address,
    tls: tlsOptions(tls, address.host),
    name: `tandem:${site}:stream`,
    connectTimeoutMs,
    from,
    signal,
    ...(isNamed ? { confirm: (connection) => confirmPrimary(connection, whereOf(local)) } : {}),
  });
}

/** `isNamed`: Sentinels have named this server, so it must be a primary. */
async function streamSource({
  config,
  local,
  signal,
}: Session): Promise<{ address: RedisAddress; isNamed: boolean }> {
  const { streamUrl, tls, connectTimeoutMs } = config;
  const own = addressOf(local);
  if (streamUrl === null) return { address: own, isNamed: asksSentinels(local) };
  const target = parseTarget(streamUrl);
  if (!isSentinelTarget(target)) return { address: target, isNamed: false };
  const address = await findPrimary({ target, tls, connectTimeoutMs, signal });
  if (asksSentinels(local) && !isSame(address, own))
    throw new TandemError(
      'SERVER_BUSY',
      `the Sentinels of streamUrl name another primary than ${whereOf(local)}`,
    );
  return { address, isNamed: true };
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
