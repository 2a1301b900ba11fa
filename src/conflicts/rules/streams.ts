/** Trims. They take off what their sender had, and leave what was added here meanwhile. */

import type { Argument } from '../../redis-commands/encode-command.js';
import { scriptSource } from '../../lua/scripts.js';
import type { Piece } from '../../pieces/piece.js';
import type { Command, RuleContext } from './rule-context.js';
import { trimOf } from '../../pieces/stream-pieces.js';

/** Runs a trim of the other site's on the entries its sender had. Entries a local trim took off are older than what is left, so they do not count. */
export function cutOff({ local, key, site }: RuleContext, incoming: Piece): Command {
  const { strategy, limit } = trimOf(incoming);
  const added = local.built.filter(({ name }) => name === 'XADD').map(({ command }): Argument => command[2]!);
  // Of two entries with one ID that of the larger name gives way.
  return [
    'EVAL',
    scriptSource('trim-stream'),
    1,
    key,
    strategy,
    limit,
    site > incoming.site ? 1 : 0,
    '',
    ...added,
  ];
}

/**
 * Asks for the state if an entry of the other site's belongs below what a local trim has left: whether that trim would have taken
 * it, only the other site can tell.
 */
export function askBelowTrim({ local, key, out, request }: RuleContext, incoming: Piece): Command[] {
  if (!local.built.some(({ role }) => role === 'trim')) return [];
  return [['EVAL', scriptSource('ask-below-trim'), 1, out, key, incoming.command[2]!, request()]];
}
