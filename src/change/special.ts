/**
 * Changes of Tandem's own making. They travel among the application's commands, at their place in the order, and are
 * translated by the receiver, never run as they are.
 *
 * - `TANDEM.STATE database key expiry rankTimestamp rankSite dump`: the whole key as it was at this place in its origin's order.
 *   Expiry in ms since 1970, 0 for none; an empty dump says that there was no such key. The rank is that of a key head.
 * - `TANDEM.NEED timestamp (database key)…`: asks for the `STATE` of these keys, ranked with this timestamp.
 * - the questions and answers of a comparison (`comparison.ts`).
 */

import { comparisonFault, isComparison } from './comparison.js';
import { encodeCommand } from './encode-command.js';

export const STATE = 'TANDEM.STATE';
export const NEED = 'TANDEM.NEED';

/** Whether these are the arguments of a well-formed special command. */
export function isSpecial(args: readonly Buffer[]): boolean {
  const name = args[0]?.toString('latin1');
  if (name !== undefined && isComparison(name)) return comparisonFault(args) === undefined;
  const isNumber = (at: number): boolean => /^\d{1,16}$/.test(args[at]?.toString('latin1') ?? '');
  if (name === STATE) return args.length === 7 && isNumber(1) && isNumber(3) && isNumber(4);
  if (name !== NEED || args.length < 4 || args.length % 2 !== 0 || !isNumber(1)) return false;
  return args.every((_, at) => at < 2 || at % 2 === 1 || isNumber(at));
}

/** A key and the database it is in. */
export interface PlacedKey {
  readonly database: number;
  readonly key: Buffer;
}

export interface KeyState extends PlacedKey {
  /** Milliseconds since 1970, in decimal; `0` for none. */
  readonly expiry: Buffer;
  readonly rankTimestamp: number;
  readonly rankSite: string;
  /** As `DUMP` gives it; empty for a key that does not exist. */
  readonly dump: Buffer;
}

/** @param args of a `TANDEM.STATE`, the name first */
export function parseState(args: readonly Buffer[]): KeyState {
  const [, database, key, expiry, rankTimestamp, rankSite, dump] = args as [
    Buffer,
    Buffer,
    Buffer,
    Buffer,
    Buffer,
    Buffer,
    Buffer,
  ];
  return {
    database: Number(database.toString('latin1')),
    key,
    expiry,
    rankTimestamp: Number(rankTimestamp.toString('latin1')),
    rankSite: rankSite.toString('latin1'),
    dump,
  };
}

/** The bytes of a `TANDEM.NEED`. */
export function encodeNeed(timestamp: number, keys: readonly PlacedKey[]): Buffer {
  return encodeCommand([NEED, timestamp, ...keys.flatMap(({ database, key }) => [database, key])]);
}

/** @param args of a `TANDEM.NEED`, the name first */
export function parseNeed(args: readonly Buffer[]): { timestamp: number; keys: PlacedKey[] } {
  const keys: PlacedKey[] = [];
  for (let i = 2; i + 1 < args.length; i += 2)
    keys.push({ database: Number(args[i]!.toString('latin1')), key: args[i + 1]! });
  return { timestamp: Number(args[1]!.toString('latin1')), keys };
}

/** The keys a special command writes: those of a `STATE`. A `NEED` writes nothing. */
export function specialKeys(name: string, args: readonly Buffer[]): PlacedKey[] {
  return name === STATE && args.length > 2
    ? [{ database: Number(args[1]!.toString('latin1')), key: args[2]! }]
    : [];
}
