/** The expiry is a cell of its own: of two concurrent ones the longer life stays, and `PERSIST` is the longest. */

import { scriptSource } from '../../lua/scripts.js';
import { encodeDeadline } from '../../protocol/messages/key-deadline.js';
import { getexOptions } from '../../redis-commands/options/value-options.js';
import type { PlacedKey } from '../../redis-commands/placed-key.js';
import type { Piece } from '../../pieces/piece.js';
import type { Command, RuleContext, Resolution } from './rule-context.js';

export function resolveExpiry({ local, held }: RuleContext, incoming: Piece): Resolution {
  const localExpiry = local.lastExpiry;
  const stays = localExpiry !== undefined && lifeOf(localExpiry) >= lifeOf(incoming);
  return {
    commands: [stays ? localExpiry.command : incoming.command],
    outcome: stays ? 'own-stays' : 'theirs-stays',
    held,
  };
}

/** Milliseconds since 1970 until which a key lives; infinity for `PERSIST` and `GETEX … PERSIST`. */
export function lifeOf({ command }: Piece): number {
  const name = String(command[0]).toUpperCase();
  const numberAt = (index: number): number => Number(String(command[index]));
  if (name === 'PERSIST') return Infinity;
  if (name === 'EXPIREAT') return numberAt(2) * 1000;
  if (name !== 'GETEX') return numberAt(2);
  const until = getexOptions(command).find((option) => option.name === 'EXAT' || option.name === 'PXAT');
  if (!until) return Infinity;
  return numberAt(until.at + 1) * (until.name === 'EXAT' ? 1000 : 1);
}

/**
 * At its origin a removal may have taken the last of a key, and the expiry with it, while local additions keep both alive here. If the
 * key turns out so, the origin is told of the expiry, so that its answer takes none away. The other way round, an expiry (or a group)
 * may have been set on what local removals have taken away, while local additions have brought the key back without it. Only the
 * origin knows what is: it is asked.
 */
export function expiryDoubt(
  { local, key, database, out, request }: RuleContext,
  incoming: Piece,
): Command | undefined {
  const { role, name, isRemoval } = incoming;
  const rests = role === 'expiry' || name.startsWith('XGROUP') || name === 'XCLAIM';
  if (!isRemoval && !(rests && local.hasRemoval)) return undefined;
  if (local.additions === 0) return undefined;
  return [
    'EVAL',
    scriptSource('ask-doubted-expiry'),
    1,
    out,
    key,
    isRemoval ? local.additions : -1,
    isRemoval ? askingWithDeadline(request(), { database, key }) : request(),
  ];
}

/** A request for a key that also tells the peer of the deadline that the key has here. */
export function askingWithDeadline(request: Buffer, key: PlacedKey): Buffer {
  return Buffer.concat([request, encodeDeadline(key)]);
}
