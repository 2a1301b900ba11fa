/** What kind of command it is, by the keys it takes. */

import { effectOf } from '../change/commands.js';
import type { PlacedKey } from '../change/special.js';
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

/** Every key of the commands, once. */
export function allKeysOf(commands: readonly PayloadCommand[], first: PlacedKey): PlacedKey[] {
  const keys = new Map<string, PlacedKey>();
  for (const key of [first, ...commands.flatMap((command) => keysOf(command, 'all'))]) {
    keys.set(`${key.database}:${key.key.toString('latin1')}`, key);
  }
  return [...keys.values()];
}
