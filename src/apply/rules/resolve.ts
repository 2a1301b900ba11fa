/** Chooses the rule for a meeting. The README's table of concurrent writes is this file in words. */

import { resolveCells } from './cells.js';
import { clashes, resolveClash } from './clash.js';
import { resolveExpiry } from './expiry.js';
import { isKeyHead, resolveKeyHead } from './key-heads.js';
import { isByPosition } from './lists.js';
import type { Meeting, Resolution } from './meeting.js';
import { resolveStream } from './streams.js';

/** @param meeting of commands that concern one key alone, at least one own */
export function resolve({ incoming, own }: Meeting): Resolution {
  if (isKeyHead(incoming)) return resolveKeyHead({ incoming, own });
  const head = own.findLastIndex(isKeyHead);
  const after = own.slice(head + 1);
  // The own head replaced what the sender meant.
  if ((own[head]?.role === 'set' || own[head]?.role === 'derive') && isByPosition(incoming))
    return { commands: [], outcome: 'own-stays' };
  const met = after.filter((piece) => clashes(incoming, piece));
  if (met.length > 0) return resolveClash({ incoming, own: met });
  switch (incoming.role) {
    case 'hash':
    case 'set-members':
    case 'zset':
    case 'bits':
      return resolveCells({ incoming, own: after });
    case 'expiry':
      return resolveExpiry({ incoming, own: after });
    case 'stream':
      return resolveStream({ incoming, own: after });
    default:
      return { commands: incoming.commands, outcome: 'merged' };
  }
}
