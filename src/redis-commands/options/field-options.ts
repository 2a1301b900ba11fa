/** The options of the commands that name fields of a hash behind `FIELDS count`: `HEXPIRE` and its family, `HSETEX`, `HGETEX`, `HGETDEL`. */

import { countAt, isToken } from '../table/arguments.js';
import { readOptions, type Option } from './option.js';

const WITH_VALUE: ReadonlySet<string> = new Set(['EX', 'PX', 'EXAT', 'PXAT']);
const CONDITIONS: ReadonlySet<string> = new Set(['NX', 'XX', 'GT', 'LT', 'FNX', 'FXX']);

/**
 * The options of such a command, `FIELDS` with what it names among them. The time of an `HEXPIRE` counts as an option without a value.
 * @param args the name first
 */
export function fieldOptions(args: readonly Buffer[]): Option[] {
  return readOptions(args, 2, lengthOf);
}

/** Index of `FIELDS`; undefined where it is missing. */
export function fieldsAt(args: readonly Buffer[]): number | undefined {
  return fieldOptions(args).find(({ name }) => name === 'FIELDS')?.at;
}

/** Whether an option lets what is there decide whether anything is done. */
export function isFieldCondition({ name }: Option): boolean {
  return CONDITIONS.has(name);
}

function lengthOf(name: string, args: readonly Buffer[], at: number): number {
  if (name !== 'FIELDS') return WITH_VALUE.has(name) ? 2 : 1;
  const step = isToken(args[0], 'HSETEX') ? 2 : 1;
  return 2 + step * countAt(args, at + 1);
}
