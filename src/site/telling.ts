/** What a running site tells through its Redis: the status that `tandem status` shows, and the commands beside it look at. */

import type { Config } from '../config/config.js';
import type { Logger } from '../log/log.js';
import { keepStatusKey } from '../observe/status-key.js';
import type { SiteStatus } from '../observe/status.js';
import { connectClient, openClient, type Redis } from '../redis/connect.js';
import { keyNames } from '../redis/keys.js';
import { followPrimary } from '../redis/primary.js';

/** A connection of its own, so that a status never waits behind data. */
export function tellingConnection(config: Config, log: Logger): Redis {
  const { localUrl, tls, site, connectTimeoutMs, commandTimeoutMs } = config;
  const name = `tandem:${site}:status`;
  return openClient({ url: localUrl, tls, name, log, connectTimeoutMs, commandTimeoutMs });
}

/** Connects, and writes the status until the signal aborts; then disconnects. */
export async function keepStatus({
  config,
  status,
  telling: redis,
  signal,
}: {
  config: Config;
  status: () => SiteStatus;
  telling: Redis;
  signal: AbortSignal;
}): Promise<void> {
  await connectClient(redis, signal).catch(() => {});
  void followPrimary(redis, signal);
  const { status: key } = keyNames({ prefix: config.keyPrefix, pair: config.pair });
  await keepStatusKey({ redis, key, status, signal });
  redis.disconnect();
}
