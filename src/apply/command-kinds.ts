/** What kind of command it is, by the keys it takes. */

import { effectOf } from '../change/commands.js';
import { keysOf, type PayloadCommand } from './payload.js';

/** Whether a command makes keys of other keys. */
export function isDerived({ spec, args }: PayloadCommand): boolean {
  if (spec === undefined) return false;
  const effect = effectOf(spec, args);
  return effect === 'derive' || effect === 'move' || (effect === 'union' && spec.reads.length > 0);
}

export function isOnOneKey(command: PayloadCommand): boolean {
  return command.spec?.singleKey === true || keysOf(command, 'all').length === 1;
}

/** Whether each of its keys can be resolved without the others. */
export function isPerKey({ spec, args }: PayloadCommand): boolean {
  if (spec === undefined) return false;
  const effect = effectOf(spec, args);
  return effect === 'remove' || (effect === 'set' && spec.name === 'MSET');
}
