import type { LocalConfig } from '../config/config.js';
import { TandemError } from '../errors.js';
import type { Logger } from '../log/log.js';
import { QUIET_LOG } from '../log/quiet-log.js';
import { answerOf, connectClient, openClient, refusalOf, whereOf, type Redis } from '../redis/connect.js';
import { orTlsMismatch } from '../redis/tls-mismatch.js';
import { keyNames, type KeyNames } from '../redis/keys.js';

/** What a command at the local Redis works with. */
export interface LocalSite {
  readonly redis: Redis;
  readonly keys: KeyNames;
  readonly log: Logger;
}

/**
 * Connects to the local Redis for one command, makes sure that it is this site's, and disconnects behind it. Both sites of a pair
 * have the same keys, so that nothing else would keep a mistaken URL from pausing or removing the other one.
 * @throws TandemError WRONG_PAIR when another site has worked there
 */
export async function atLocalSite<T>(
  config: LocalConfig,
  purpose: string,
  work: (site: LocalSite) => Promise<T>,
): Promise<T> {
  const { tls, connectTimeoutMs, commandTimeoutMs, pair, site, keyPrefix } = config;
  const keys = keyNames({ prefix: keyPrefix, pair });
  const log = QUIET_LOG;
  const name = `tandem:${site}:${purpose}`;
  const redis = openClient({ url: config.localUrl, tls, log, name, connectTimeoutMs, commandTimeoutMs });
  try {
    await connectClient(redis);
    const owner = await answerOf(redis, redis.hget(keys.state, 'site'));
    if (owner !== null && owner !== site)
      throw new TandemError('WRONG_PAIR', `the Redis of localUrl is that of site ${owner}, not of ${site}`, {
        hint: 'check site and localUrl',
      });
    return await work({ redis, keys, log });
  } catch (error) {
    throw await orTlsMismatch(refusalOf(error, whereOf(redis)), config.localUrl);
  } finally {
    redis.disconnect();
  }
}

/** Whether a process works for the site now. */
export async function isWorkedFor({ redis, keys }: LocalSite): Promise<boolean> {
  return (await answerOf(redis, redis.exists(keys.lease))) === 1;
}
