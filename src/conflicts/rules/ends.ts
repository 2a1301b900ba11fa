/** Pushes and pops at the ends of lists that mean the same whatever is known of places, so that nothing has to be looked at for them. */

import { endCode } from '../../pieces/end-code.js';
import type { Piece } from '../../pieces/piece.js';
import { commutingWith, isPop, isPush, passes } from '../../redis-commands/effect-code.js';
import type { RuleContext } from './rule-context.js';

/**
 * Whether an incoming command on an end of a list comes to the same when it runs as it is behind the local writes its sender had not
 * seen. A pop does only where no local push may have been gone past, and the value is not being settled by a state.
 */
export function isFree(context: RuleContext, incoming: Piece): boolean {
  const { local, known, pending, isAsking, isDoubtful, site } = context;
  const code = endCode(incoming);
  const free = commutingWith(code, incoming.site < site);
  if (!free || !(isPush(code) || isPop(code))) return false;
  for (const localCode of local.endCodes) if (!free.has(localCode)) return false;
  if (isPush(code)) return known === undefined || known.places === undefined;
  // Of those that had seen more none is doubtful either.
  const isDoubted = local.leastSeen !== undefined && isDoubtful(local.leastSeen);
  return known === undefined && !pending && !isAsking && !isDoubted;
}

/** Whether it goes past a local write at the end that this one was made at: where that stands is not known any more. */
export function isPast({ local }: RuleContext, incoming: Piece): boolean {
  const code = endCode(incoming);
  return [...local.endCodes].some((localCode) => passes(code, localCode));
}
