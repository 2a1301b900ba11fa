/** Reads options and numbers in a command's arguments, as lenient as the servers: any case, and nothing assumed about the length. */

import type { Argument } from '../encode-command.js';

/** Whether an argument is this option. `token` is upper case. */
export function isToken(argument: Buffer | undefined, token: string): boolean {
  return (
    argument !== undefined &&
    argument.length === token.length &&
    argument.toString('latin1').toUpperCase() === token
  );
}

/** An option's name in upper case, or `''` for what is too long to be an option. */
export function tokenOf(argument: Argument | undefined): string {
  if (argument === undefined || typeof argument === 'number' || argument.length > LONGEST_TOKEN) return '';
  return (typeof argument === 'string' ? argument : argument.toString('latin1')).toUpperCase();
}

export function tokenAt(args: readonly Argument[], index: number): string {
  return tokenOf(args[index]);
}

/** A count in the arguments: a whole number of at least 0, and 0 for whatever else stands there. */
export function countAt(args: readonly Buffer[], index: number): number {
  const count = Number(args[index]?.toString('latin1') ?? 0);
  return Number.isSafeInteger(count) && count > 0 ? count : 0;
}

/** Whether one of the options stands at or behind `from`. Only where no argument behind `from` can be a user's value. */
export function hasToken(args: readonly Buffer[], from: number, tokens: ReadonlySet<string>): boolean {
  for (let index = from; index < args.length; index += 1) {
    if (tokens.has(tokenAt(args, index))) return true;
  }
  return false;
}

/** No option of any listed command is longer. */
const LONGEST_TOKEN = 16;
