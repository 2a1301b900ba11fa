/** A value of the other site's that has come in parts, and stands beside the keys until it is put in its place. */

import type { Argument } from '../../redis-commands/encode-command.js';
import type { KeyState } from '../../protocol/messages/state.js';
import { scriptSource } from '../../lua/scripts.js';
import { assemblyBeside } from '../../redis/keys.js';

type Script = readonly Argument[];

/**
 * Puts it in its place, with its deadline.
 * @param out the key that carries Tandem's own commands
 * @param options `isFill`: only where there is no such key
 */
export function placing(
  key: Argument,
  { database, assembled, expiry }: KeyState,
  { out, isFill }: { out: string; isFill: boolean },
): Script {
  const { id, parts, type, length } = assembled!;
  const { assembly, assembled: value } = assemblyBeside(out);
  const used = [key, assembly, value, `${out}:replaced`];
  const what = [database, isFill ? 1 : 0, expiry, id, parts, type, length];
  return ['EVAL', scriptSource('place-assembled'), used.length, ...used, ...what];
}

/** Removes it where it was of no use. */
export function dropping(out: string): Script {
  const { assembly, assembled } = assemblyBeside(out);
  return ['EVAL', scriptSource('drop-assembled'), 2, assembly, assembled];
}
