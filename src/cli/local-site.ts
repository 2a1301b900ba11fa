import type { LocalConfig } from '../config/config.js';
import type { Logger } from '../log/log.js';
import { QUIET_LOG } from '../log/quiet-log.js';
import { expectOwnRegistration } from './expect-local-registration.js';
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
 * Connects to the local Redis for one command, makes sure that it is this site's, and disconnects behind it.
 * @param mayBeNew also where other pairs alone have worked
 * @throws TandemError WRONG_PAIR, SAME_SITE where it is not this site's
 */
export async function atLocalSite<T>(
  config: LocalConfig,
  purpose: string,
  work: (site: LocalSite) => Promise<T>,
  { mayBeNew = false } = {},
): Promise<T> {
  const { tls, connectTimeoutMs, commandTimeoutMs, pair, site, keyPrefix } = config;
  const keys = keyNames({ prefix: keyPrefix, pair });
  const log = QUIET_LOG;
  const name = `tandem:${site}:${purpose}`;
  const redis = openClient({ url: config.localUrl, tls, log, name, connectTimeoutMs, commandTimeoutMs });
  try {
    await connectClient(redis);
    await expectOwnRegistration({ redis, keys }, config, { mayBeNew });
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
