/** What a running site tells through its Redis: the status that `tandem status` shows, and the commands beside it look at. */

import { setTimeout as pause } from 'node:timers/promises';
import type { Config } from '../config/config.js';
import type { Logger } from '../log/log.js';
import { runScript } from '../lua/scripts.js';
import { STATUS_TTL_MS } from '../observe/status-key.js';
import type { SiteStatus } from '../observe/status.js';
import { connectClient, openClient, type Redis } from '../redis/connect.js';
import { keyNames } from '../redis/keys.js';
import { followPrimary } from '../redis/primary.js';

/** How often the status is written, and how often a process that stands by looks whether it has begun to work. */
const STATUS_INTERVAL_MS = 1000;
const STANDBY_LOOK_MS = 100;

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

interface StatusKeyOptions {
  redis: Redis;
  /** The key's name, `tandem:{pair}:status`. */
  key: string;
  status: () => SiteStatus;
  signal: AbortSignal;
}

/**
 * Writes the status to its key every second while this process is the active one, until the signal aborts; then
 * removes it. A failed write is no reason to stop anything: the key expires and `tandem status` says so.
 */
async function keepStatusKey({ redis, key, status, signal }: StatusKeyOptions): Promise<void> {
  let written = false;
  while (!signal.aborted) {
    const now = status();
    if (now.role === 'active') {
      written = await runScript(redis, 'write-status', [key], [JSON.stringify(now), STATUS_TTL_MS]).then(
        () => true,
        () => written,
      );
    }
    await pause(now.role === 'active' ? STATUS_INTERVAL_MS : STANDBY_LOOK_MS, undefined, { signal }).catch(
      () => {},
    );
  }
  if (written) await redis.del(key).catch(() => {});
}
