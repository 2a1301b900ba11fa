/** Goes through the options of a command. Each command's file in this folder says which options there are. */

import type { Argument } from '../encode-command.js';
import { tokenAt } from '../table/arguments.js';

/** An option, and where it stands. All are indexes of arguments; the command's name has index 0. */
export interface Option {
  /** Upper case; `''` for what is too long to be one. */
  readonly name: string;
  readonly at: number;
  /** Behind its last value. */
  readonly end: number;
}

/**
 * The options from an argument on, in order.
 * @param lengthOf how many arguments an option takes, itself included; 0 for what is none, which ends the options
 */
export function readOptions<Args extends readonly Argument[]>(
  args: Args,
  from: number,
  lengthOf: (name: string, args: Args, at: number) => number,
): Option[] {
  const options: Option[] = [];
  for (let at = from; at < args.length;) {
    const name = tokenAt(args, at);
    const length = lengthOf(name, args, at);
    if (length === 0) break;
    options.push({ name, at, end: at + length });
    at += length;
  }
  return options;
}
