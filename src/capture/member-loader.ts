/** Has the members that are next to be popped from a sorted set stand in the stream, where capture reads them. */

import type { Redis } from 'ioredis';
import type { PlacedKey } from '../redis-commands/placed-key.js';
import { runScript } from '../lua/scripts.js';
import type { KeyNames } from '../redis/keys.js';
import { READ_MEMBERS, type End } from './known-members.js';

/** Bytes of members that are read at once. */
const READ_BYTES = 256 * 1024;

/**
 * Asks the server for the members at one end of a set.
 * @param onUntold called when they will not stand in the stream: what is popped meanwhile is sent as it is
 */
export async function loadMembers(
  { local, keys, token }: { readonly local: Redis; readonly keys: KeyNames; readonly token: number },
  { key, end }: { readonly key: PlacedKey; readonly end: End },
  onUntold: () => void,
): Promise<void> {
  try {
    const count = await runScript(
      local,
      'list-members',
      [keys.out, keys.fence],
      [token, key.database, key.key, end, READ_MEMBERS, READ_BYTES],
    );
    if (Number(count) < 0) onUntold();
  } catch {
    // A server that refuses it is no reason to stop, and one that is gone ends the work by itself.
    onUntold();
  }
}
