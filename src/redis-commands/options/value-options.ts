/** The options of `SET`, `MSETEX` and `GETEX`: when a value is set, and when it expires. */

import type { Argument } from '../encode-command.js';
import { tokenOf } from '../table/arguments.js';
import { readOptions, type Option } from './option.js';

/** Where the options of a `SET` begin: behind name, key and value. */
const SET_OPTIONS_FROM = 3;
const GETEX_OPTIONS_FROM = 2;

/** The value of an option may look like another option: `IFEQ PX`. */
const WITH_VALUE: ReadonlySet<string> = new Set([
  'EX',
  'PX',
  'EXAT',
  'PXAT',
  'IFEQ',
  'IFNE',
  'IFDEQ',
  'IFDNE',
]);
const EXPIRIES: ReadonlySet<string> = new Set(['EX', 'PX', 'EXAT', 'PXAT']);
const CONDITIONS: ReadonlySet<string> = new Set(['NX', 'XX', 'IFEQ', 'IFNE', 'IFDEQ', 'IFDNE']);

/** The options from an argument on. What no server has yet is one without a value. */
export function valueOptions(args: readonly Argument[], from: number): Option[] {
  return readOptions(args, from, lengthOf);
}

/** @param args the name first */
export function setOptions(args: readonly Argument[]): Option[] {
  return valueOptions(args, SET_OPTIONS_FROM);
}

/** @param args the name first */
export function getexOptions(args: readonly Argument[]): Option[] {
  return valueOptions(args, GETEX_OPTIONS_FROM);
}

/** Whether an option lets what is there decide whether a value is set. */
export function isSetCondition({ name }: Option): boolean {
  return CONDITIONS.has(name);
}

/** Whether an option says when the value expires. */
export function isExpiry({ name }: Option): boolean {
  return EXPIRIES.has(name);
}

/**
 * The time a `SET` gives its value: in ms since 1970, as it stands in a stream; `kept` where it leaves the key the one it has; undefined
 * for none. Every `SET` of a batch is asked: no list is made for that.
 * @param argument of the command, the name being the first
 */
export function expiryOfSet(
  argument: (index: number) => Argument,
  count: number,
): number | 'kept' | undefined {
  for (let at = SET_OPTIONS_FROM; at < count;) {
    const name = tokenOf(argument(at));
    if (name === 'PXAT' && at + 1 < count) return Number(argument(at + 1).toString());
    if (name === 'KEEPTTL') return 'kept';
    at += lengthOf(name);
  }
  return undefined;
}

function lengthOf(name: string): number {
  return WITH_VALUE.has(name) ? 2 : 1;
}
