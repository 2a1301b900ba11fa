import type { LocalConfig } from '../config/config.js';
import { TandemError, type ErrorCode } from '../errors.js';
import { judgeOwnRegistration, readRegistration } from '../preflight/pair.js';
import { findStrangers } from '../redis/other-pairs.js';
import type { Redis } from '../redis/connect.js';
import type { KeyNames } from '../redis/keys.js';

/**
 * The Redis of another site must not be taken for this one's, nor a wrong pair name for a pair in which nothing has happened: both sites
 * of a pair have the same keys, so that nothing else would keep a mistaken URL from pausing the other one.
 * @param mayBeNew also where other pairs alone have worked
 * @throws TandemError WRONG_PAIR, SAME_SITE
 */
export async function expectOwnRegistration(
  { redis, keys }: { readonly redis: Redis; readonly keys: KeyNames },
  config: LocalConfig,
  { mayBeNew = false } = {},
): Promise<void> {
  const found = await readRegistration(redis, keys.state);
  const { outcome, code, message, advice } = judgeOwnRegistration(found, config, keys);
  if (outcome === 'fail') throw wrongPlace(code ?? 'WRONG_PAIR', message, advice);
  if (found !== null || mayBeNew || (await hasWorked(redis, keys))) return;
  const strangers = (await findStrangers(redis, config)) ?? [];
  if (strangers.length === 0) return;
  const named = `this Redis belongs to pair ${strangers.join(', ')}, and pair ${config.pair} has never worked here`;
  throw wrongPlace('WRONG_PAIR', named, 'Check pair, keyPrefix and localUrl.');
}

/** Somebody may have deleted the registration alone. */
async function hasWorked(redis: Redis, keys: KeyNames): Promise<boolean> {
  const { fence, lease, changes, inbox, conflicts, jobKinds } = keys;
  return (await redis.exists(fence, lease, changes, inbox, conflicts, jobKinds)) > 0;
}

function wrongPlace(code: ErrorCode, message: string, hint?: string): TandemError {
  return new TandemError(code, message, hint === undefined ? {} : { hint });
}
