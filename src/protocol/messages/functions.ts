/** `TANDEM.FUNCTIONS session number [name…]`: without names, asks which libraries the receiver has; with names, for those. */

import { encodeCommand } from '../../redis-commands/encode-command.js';
import { LIBRARY_NAME, MAX_LIBRARIES } from './library-parts.js';
import { questionFault, text, type MessageKind } from './message-kind.js';

export const FUNCTIONS = 'TANDEM.FUNCTIONS';

/** @param names of the libraries that are wanted; none to ask which there are */
export function encodeFunctions(session: string, number: number, names: readonly string[]): Buffer {
  return encodeCommand([FUNCTIONS, session, number, ...names]);
}

/** @param args well-formed, the name first */
export function parseFunctions(args: readonly Buffer[]): {
  session: string;
  number: number;
  names: string[];
} {
  const [, session = '', number = '', ...names] = args.map(text);
  return { session, number: Number(number), names };
}

export const FUNCTIONS_MESSAGE: MessageKind = {
  name: FUNCTIONS,
  group: 'libraries',
  // No script can answer it.
  isForLongWork: true,
  fault: (args) => {
    const names = args.slice(3).map(text);
    const areSound = names.length <= MAX_LIBRARIES && names.every((one) => LIBRARY_NAME.test(one));
    return questionFault(args) ?? (areSound ? undefined : `${FUNCTIONS} names no libraries`);
  },
  keys: () => [],
};
