import type { LocalConfig } from '../config/config.js';
import { TandemError } from '../errors.js';
import type { Logger } from '../log/log.js';
import { QUIET_LOG } from '../log/quiet-log.js';
import { expectOwnRegistration } from './expect-local-registration.js';
import { connectClient, openClient, refusalOf, whereOf } from '../redis/connect.js';
import type { Redis } from '../redis/connect.js';
import { orTlsMismatch } from '../redis/tls-mismatch.js';
import { keyNames, type KeyNames } from '../redis/keys.js';

/** Clients for a command that prints: what goes wrong is told once, by the command, and nothing is logged. */
interface QuietClients {
  readonly log: Logger;
  /** A client that is not connected yet. */
  readonly open: (url: string) => Redis;
}

/** @param purpose shown in the server's CLIENT LIST: `tandem:east:status` */
export function quietClients(config: LocalConfig, purpose: string): QuietClients {
  const log = QUIET_LOG;
  const { tls, site, connectTimeoutMs, commandTimeoutMs } = config;
  const options = { tls, log, connectTimeoutMs, commandTimeoutMs, name: `tandem:${site}:${purpose}` };
  return { log, open: (url) => openClient({ ...options, url }) };
}

/** What a command works with at the site's own Redis. */
export interface LocalWork {
  readonly redis: Redis;
  readonly keys: KeyNames;
  /** Aborts at the first SIGINT or SIGTERM, if the command goes on until one. */
  readonly stop: AbortSignal;
}

/**
 * Runs a command's work on a connection to the site's own Redis. With `untilSignal` the first SIGINT or SIGTERM ends it in order:
 * it closes the connection, so that no answer is waited for, and the command resolves with 0. The second one kills.
 * @throws TandemError WRONG_PAIR, SAME_SITE where it is not this site's; TIMEOUT when the work has taken `limitMs`; what kept the server
 * from answering
 */
export async function atLocalRedis(
  config: LocalConfig,
  { purpose, untilSignal, limitMs }: { purpose: string; untilSignal: boolean; limitMs?: number },
  work: (local: LocalWork) => Promise<number>,
): Promise<number> {
  const redis = quietClients(config, purpose).open(config.localUrl);
  const keys = keyNames({ prefix: config.keyPrefix, pair: config.pair });
  const stop = new AbortController();
  const end = (): void => {
    stop.abort();
    redis.disconnect();
  };
  if (untilSignal) process.once('SIGINT', end).once('SIGTERM', end);
  const limit = limitMs === undefined ? undefined : setTimeout(end, limitMs);
  try {
    await connectClient(redis, stop.signal);
    await expectOwnRegistration({ redis, keys }, config);
    return await work({ redis, keys, stop: stop.signal });
  } catch (error) {
    if (stop.signal.aborted && limitMs !== undefined)
      throw new TandemError('TIMEOUT', `no answer from ${whereOf(redis)} within ${limitMs} ms`);
    if (stop.signal.aborted) return 0;
    throw await orTlsMismatch(refusalOf(error, whereOf(redis)), config.localUrl);
  } finally {
    clearTimeout(limit);
    process.off('SIGINT', end).off('SIGTERM', end);
    redis.disconnect();
  }
}
