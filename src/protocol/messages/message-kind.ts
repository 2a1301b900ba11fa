/** The interface of every message of Tandem's, and the parts of which their arguments are made. */

import type { RecordedEffect } from '../../redis-commands/effect-code.js';
import type { PlacedKey } from '../../redis-commands/placed-key.js';

/** One kind of message. `args` are always those of a message with its name, which comes first. */
export interface MessageKind {
  readonly name: string;
  /**
   * `keys`: it speaks of keys, and has its place among the writes of them. `comparison`, `libraries`: a question or an answer.
   * `site`: it never leaves the site.
   */
  readonly group: 'keys' | 'comparison' | 'libraries' | 'site';
  /** Whether it runs nothing at its receiver, and is handed to the long work there. */
  readonly isForLongWork?: boolean;
  /** The fault of a message; undefined when it is well-formed. */
  readonly fault: (args: readonly Buffer[]) => string | undefined;
  /** The keys it names. Of a malformed one too: never beyond the arguments. */
  readonly keys: (args: readonly Buffer[]) => PlacedKey[];
  /** The effect that is recorded of it on the keys it names. Absent where it is no write. */
  readonly effect?: (args: readonly Buffer[]) => RecordedEffect;
}

const SESSION = /^[\da-z-]{1,40}$/;
/** An expiry has up to 19 digits; what is above 2^53 is never calculated with. */
const MAX_DIGITS = 19;
/** So many digits are always a whole number that is exact. */
const EXACT_DIGITS = 15;
const [ZERO, NINE] = [48, 57];

export function text(argument: Buffer | undefined): string {
  return argument?.toString('latin1') ?? '';
}

export function isNumber(argument: Buffer | undefined): boolean {
  if (argument === undefined || argument.length === 0 || argument.length > MAX_DIGITS) return false;
  // A batch of states holds several for each key: no text is made of them.
  for (let at = 0; at < argument.length; at++) if (argument[at]! < ZERO || argument[at]! > NINE) return false;
  return true;
}

/** The number that digits stand for. */
export function numberIn(digits: Buffer): number {
  if (digits.length > EXACT_DIGITS) return Number(text(digits));
  let number = 0;
  for (let at = 0; at < digits.length; at++) {
    const digit = digits[at]! - ZERO;
    if (digit < 0 || digit > NINE - ZERO) return Number(text(digits));
    number = number * 10 + digit;
  }
  return number;
}

export function wrongCount(args: readonly Buffer[]): string {
  return `${text(args[0])} has ${args.length} arguments`;
}

export function noNumber(args: readonly Buffer[]): string {
  return `${text(args[0])} lacks a number`;
}

/** The fault in the session and the number of a question. */
export function questionFault(args: readonly Buffer[]): string | undefined {
  return SESSION.test(text(args[1])) && isNumber(args[2]) ? undefined : `${text(args[0])} names no question`;
}

/** The key that stands behind its database. */
export function placedKey(args: readonly Buffer[], at: number): PlacedKey {
  return { database: numberIn(args[at]!), key: args[at + 1]! };
}

/** The key of a message that begins with one. */
export function firstKey(args: readonly Buffer[]): PlacedKey[] {
  return args.length > 2 ? [placedKey(args, 1)] : [];
}

/** All keys from an argument on. */
export function keysFrom(args: readonly Buffer[], from: number): PlacedKey[] {
  const keys: PlacedKey[] = [];
  for (let at = from; at + 1 < args.length; at += 2) keys.push(placedKey(args, at));
  return keys;
}

/** Keys from an argument on, with what is said of each. */
export function triples(args: readonly Buffer[], from: number): { placed: PlacedKey; third: string }[] {
  const found: { placed: PlacedKey; third: string }[] = [];
  for (let at = from; at + 2 < args.length; at += 3)
    found.push({ placed: placedKey(args, at), third: text(args[at + 2]) });
  return found;
}

export function keysOfTriples(args: readonly Buffer[], from: number): PlacedKey[] {
  const keys: PlacedKey[] = [];
  for (let at = from; at + 2 < args.length; at += 3) keys.push(placedKey(args, at));
  return keys;
}

export function tripleArguments({ placed, third }: { placed: PlacedKey; third: string }): Buffer[] {
  return [Buffer.from(String(placed.database)), placed.key, Buffer.from(third, 'latin1')];
}

/** @param isSound whether that may be said of a key */
export function triplesFault(
  args: readonly Buffer[],
  from: number,
  isSound: (third: Buffer) => boolean,
): string | undefined {
  if ((args.length - from) % 3 !== 0) return wrongCount(args);
  for (let at = from; at < args.length; at += 3)
    if (!isNumber(args[at]) || !isSound(args[at + 2]!)) return `${text(args[0])} says nothing of a key`;
  return undefined;
}
