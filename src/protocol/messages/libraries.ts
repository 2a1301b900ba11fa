/**
 * `TANDEM.LIBRARIES session number isTold (name digest)…`: which libraries a site has (`functions.ts`). `isTold` is 0 where functions do
 * not leave the site, or its server has none.
 */

import { encodeCommand } from '../../redis-commands/encode-command.js';
import { DIGEST, LIBRARY_NAME, MAX_LIBRARIES, type Shelf } from './library-parts.js';
import { questionFault, text, type MessageKind } from './message-kind.js';

export const LIBRARIES = 'TANDEM.LIBRARIES';

export interface LibrariesTold {
  readonly session: string;
  readonly number: number;
  /** Nothing where they are not told. */
  readonly shelf: Shelf | undefined;
}

export function encodeLibraries({ session, number, shelf }: LibrariesTold): Buffer {
  const pairs = [...(shelf ?? [])].flat();
  return encodeCommand([LIBRARIES, session, number, shelf ? 1 : 0, ...pairs]);
}

/** @param args well-formed, the name first */
export function parseLibraries(args: readonly Buffer[]): LibrariesTold {
  const [, session = '', number = '', isTold, ...pairs] = args.map(text);
  const shelf = new Map<string, string>();
  for (let i = 0; i + 1 < pairs.length; i += 2) shelf.set(pairs[i]!, pairs[i + 1]!);
  return { session, number: Number(number), shelf: isTold === '1' ? shelf : undefined };
}

/** The message of a site that tells nothing of its libraries. @param args well-formed, the name first */
export function untoldLibraries(args: readonly Buffer[]): readonly Buffer[] {
  return [...args.slice(0, 3), Buffer.from('0')];
}

export const LIBRARIES_MESSAGE: MessageKind = {
  name: LIBRARIES,
  group: 'libraries',
  isForLongWork: true,
  fault: (args) => {
    const [isTold = '', ...pairs] = args.slice(3).map(text);
    const areSound =
      /^[01]$/.test(isTold) &&
      pairs.length % 2 === 0 &&
      pairs.length <= 2 * MAX_LIBRARIES &&
      pairs.every((one, at) => (at % 2 === 0 ? LIBRARY_NAME : DIGEST).test(one));
    return questionFault(args) ?? (areSound ? undefined : `${LIBRARIES} says nothing of libraries`);
  },
  keys: () => [],
};
