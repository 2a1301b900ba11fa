/** The effect of a piece at an end of a list, as the window records it. */

import { effectCode, type RecordedEffect } from '../redis-commands/effect-code.js';
import { isState, type Piece } from './piece.js';

/** The code of what a piece does at an end of a list, or of an expiry or a state; that of something unknown for any other. */
export function endCode(piece: Piece): number {
  return effectCode(effectOf(piece));
}

function effectOf(piece: Piece): RecordedEffect {
  const { role, name, command } = piece;
  if (isState(piece)) return 'state';
  if (role === 'expiry') return 'expire';
  switch (name) {
    case 'LPUSH':
      return 'push-left';
    case 'RPUSH':
      return 'push-right';
    case 'LPOP':
      return command.length > 2 ? 'pops-left' : 'pop-left';
    case 'RPOP':
      return command.length > 2 ? 'pops-right' : 'pop-right';
    default:
      return 'unknown';
  }
}
