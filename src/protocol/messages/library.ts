/** `TANDEM.LIBRARY name code`: a function library as one site has it, loaded in place of one of that name. */

import { encodeCommand } from '../../redis-commands/encode-command.js';
import { LIBRARY_NAME } from './library-parts.js';
import { text, type MessageKind } from './message-kind.js';

export const LIBRARY = 'TANDEM.LIBRARY';

export function encodeLibrary(name: string, code: Buffer): Buffer {
  return encodeCommand([LIBRARY, name, code]);
}

/** The command that loads it. @param args well-formed, the name first */
export function loadingOf(args: readonly Buffer[]): Buffer {
  return encodeCommand(['FUNCTION', 'LOAD', 'REPLACE', args[2]!]);
}

export const LIBRARY_MESSAGE: MessageKind = {
  name: LIBRARY,
  group: 'libraries',
  fault: (args) =>
    args.length === 3 && LIBRARY_NAME.test(text(args[1])) && text(args[2]).startsWith('#!')
      ? undefined
      : `${LIBRARY} holds no library`,
  keys: () => [],
};
