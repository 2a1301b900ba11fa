/** Trims. They take off what their sender had, and leave what was added here meanwhile. */

import type { Argument } from '../../change/encode-command.js';
import { scriptSource } from '../../lua/scripts.js';
import type { Piece } from './meeting.js';
import type { Command, Occasion } from './occasion.js';
import { trimOf } from './stream-pieces.js';

/** Runs a trim of the other site's on the entries its sender had. Entries an own trim took off are older than what is left, so they do not count. */
export function cutOff({ own, key }: Occasion, incoming: Piece): Command {
  const { strategy, limit } = trimOf(incoming);
  const added = own.built.filter(({ name }) => name === 'XADD').map(({ command }): Argument => command[2]!);
  return ['EVAL', scriptSource('cut'), 1, key, strategy, limit, ...added];
}

/**
 * Asks for the state if an entry of the other site's belongs below what an own trim has left: whether that trim would have taken
 * it, only the other site can tell.
 */
export function askBelowTrim({ own, key, out, request }: Occasion, incoming: Piece): Command[] {
  if (!own.built.some(({ role }) => role === 'trim')) return [];
  return [['EVAL', scriptSource('below'), 1, out, key, incoming.command[2]!, request()]];
}
