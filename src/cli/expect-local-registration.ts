import type { LocalConfig } from '../config/config.js';
import { TandemError, type ErrorCode } from '../errors.js';
import { findStrangers, judgeOwnRegistration, readRegistration } from '../preflight/pair.js';
import type { LocalWork } from './clients.js';

/**
 * The Redis of another site must not be taken for this one's, nor a wrong pair name for a pair in which nothing has happened.
 * @throws TandemError WRONG_PAIR, SAME_SITE
 */
export async function expectOwnRegistration(
  { redis, keys }: Pick<LocalWork, 'redis' | 'keys'>,
  config: LocalConfig,
): Promise<void> {
  const found = await readRegistration(redis, keys.state);
  const { outcome, code, message, advice } = judgeOwnRegistration(found, config, keys);
  if (outcome === 'fail') throw wrongPlace(code ?? 'WRONG_PAIR', message, advice);
  if (found !== null || (await redis.exists(keys.conflicts)) === 1) return;
  const strangers = (await findStrangers(redis, config)) ?? [];
  if (strangers.length === 0) return;
  const named = `this Redis belongs to pair ${strangers.join(', ')}, and pair ${config.pair} has never worked here`;
  throw wrongPlace('WRONG_PAIR', named, 'Check pair, keyPrefix and localUrl.');
}

function wrongPlace(code: ErrorCode, message: string, hint?: string): TandemError {
  return new TandemError(code, message, hint === undefined ? {} : { hint });
}
