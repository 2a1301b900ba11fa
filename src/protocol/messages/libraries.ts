/**
 * Function libraries, which are no keys: a server lets no script read them, so the process does, and what it says travels among the
 * changes.
 *
 * - `TANDEM.FUNCTIONS session number [name…]`: without names, asks which libraries the receiver has; with names, for those.
 * - `TANDEM.LIBRARIES session number isTold (name digest)…`: which it has. `isTold` is 0 where functions do not leave the site, or its
 *   server has none.
 * - `TANDEM.LIBRARY name code`: a library as one site has it, loaded in place of one of that name.
 */

import { createHash } from 'node:crypto';
import { encodeCommand } from '../../redis-commands/encode-command.js';

export const FUNCTIONS = 'TANDEM.FUNCTIONS';
export const LIBRARIES = 'TANDEM.LIBRARIES';
export const LIBRARY = 'TANDEM.LIBRARY';

/** Libraries a site compares and copies. */
export const MAX_LIBRARIES = 10_000;

const SESSION = /^[\da-z-]{1,40}$/;
const NUMBER = /^\d{1,16}$/;
const DIGEST = /^[\da-f]{16}$/;
const NAME = /^\w{1,1024}$/;
const DIGEST_DIGITS = 16;

/** Which libraries a site has, by name with a digest of the code. */
export type Shelf = ReadonlyMap<string, string>;

export interface LibrariesTold {
  readonly session: string;
  readonly number: number;
  /** Nothing where they are not told. */
  readonly shelf: Shelf | undefined;
}

/** Whether a command speaks of libraries, well-formed or not. */
export function isOfLibraries(name: string): boolean {
  return name === FUNCTIONS || name === LIBRARIES || name === LIBRARY;
}

/** The fault in such a command (the name first); undefined when it is well-formed. */
export function librariesFault(args: readonly Buffer[]): string | undefined {
  const [name = '', ...words] = args.map((argument) => argument.toString('latin1'));
  if (name === LIBRARY)
    return words.length === 2 && NAME.test(words[0]!) && words[1]!.startsWith('#!')
      ? undefined
      : `${name} holds no library`;
  const [session = '', number = '', ...rest] = words;
  if (!SESSION.test(session) || !NUMBER.test(number)) return `${name} names no question`;
  if (name === FUNCTIONS)
    return rest.length <= MAX_LIBRARIES && rest.every((one) => NAME.test(one))
      ? undefined
      : `${name} names no libraries`;
  const [isTold = '', ...pairs] = rest;
  const isSound = /^[01]$/.test(isTold) && pairs.length % 2 === 0 && pairs.length <= 2 * MAX_LIBRARIES;
  return isSound && pairs.every((one, at) => (at % 2 === 0 ? NAME : DIGEST).test(one))
    ? undefined
    : `${name} says nothing of libraries`;
}

/** @param names of the libraries that are wanted; none to ask which there are */
export function encodeFunctions(session: string, number: number, names: readonly string[]): Buffer {
  return encodeCommand([FUNCTIONS, session, number, ...names]);
}

/** @param args of a well-formed `TANDEM.FUNCTIONS`, the name first */
export function parseFunctions(args: readonly Buffer[]): {
  session: string;
  number: number;
  names: string[];
} {
  const [, session = '', number = '', ...names] = args.map((argument) => argument.toString('latin1'));
  return { session, number: Number(number), names };
}

export function encodeLibraries({ session, number, shelf }: LibrariesTold): Buffer {
  const pairs = [...(shelf ?? [])].flat();
  return encodeCommand([LIBRARIES, session, number, shelf ? 1 : 0, ...pairs]);
}

/** @param args of a well-formed `TANDEM.LIBRARIES`, the name first */
export function parseLibraries(args: readonly Buffer[]): LibrariesTold {
  const [, session = '', number = '', isTold, ...pairs] = args.map((argument) => argument.toString('latin1'));
  const shelf = new Map<string, string>();
  for (let i = 0; i + 1 < pairs.length; i += 2) shelf.set(pairs[i]!, pairs[i + 1]!);
  return { session, number: Number(number), shelf: isTold === '1' ? shelf : undefined };
}

export function encodeLibrary(name: string, code: Buffer): Buffer {
  return encodeCommand([LIBRARY, name, code]);
}

/** @param args of a well-formed `TANDEM.LIBRARY`, the name first */
export function loadingOf(args: readonly Buffer[]): Buffer {
  return encodeCommand(['FUNCTION', 'LOAD', 'REPLACE', args[2]!]);
}

export function codeDigest(code: Buffer): string {
  return createHash('sha256').update(code).digest('hex').slice(0, DIGEST_DIGITS);
}
