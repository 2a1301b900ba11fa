/** The options of `ZADD` and `GEOADD`. They stand between the key and the first score (or longitude), which no option looks like. */

import { readOptions, type Option } from './option.js';

/** `CH` only changes the reply; the others let what is there decide. */
const OPTIONS: ReadonlySet<string> = new Set(['NX', 'XX', 'GT', 'LT', 'INCR', 'CH']);

/** @param args the name first */
export function memberOptions(args: readonly Buffer[]): Option[] {
  return readOptions(args, 2, (name) => (OPTIONS.has(name) ? 1 : 0));
}

/** Whether an option lets what is there decide what a member comes to. */
export function isMemberCondition({ name }: Option): boolean {
  return name !== 'CH';
}

/** Index of the first argument behind the options. */
export function behindMemberOptions(args: readonly Buffer[]): number {
  return memberOptions(args).at(-1)?.end ?? 2;
}
