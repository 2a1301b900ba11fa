import { TandemError } from '../errors.js';
import type { Logger } from '../log/log.js';
import type { Redis } from '../redis/connect.js';
import type { KeyNames } from '../redis/keys.js';
import { hasInternalKeys } from './history.js';

/** Own keys may have gone with a database; if they have, the stream is closed: the site ends, and the next one finds or makes them. */
export async function keyspaceChanged(
  { local, keys, token, log }: { local: Redis; keys: KeyNames; token: number; log: Logger },
  { event, databases }: { event: 'flush' | 'swap'; databases: readonly number[] },
  close: (error: TandemError) => void,
): Promise<void> {
  try {
    if (!(await hasInternalKeys({ local, keys, token, event, databases })))
      close(new TandemError('STATE_LOST', `Tandem's own keys are gone after a ${event} of database 0`));
  } catch (err) {
    log.debug({ err }, 'the own keys could not be looked for');
  }
}
