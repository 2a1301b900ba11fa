/**
 * Changes of Tandem's own making. They travel among the application's commands, at their place in the order, and are
 * translated by the receiver, never run as they are.
 *
 * - `TANDEM.STATE database key expiry rankTimestamp rankSite since elements dump`: the whole key as it was at this place in its
 *   origin's order. Expiry in ms since 1970, 0 for none; an empty dump says that there was no such key. The rank is what it weighs
 *   against a concurrent one: timestamp -1 for no key, 0 for a value that lacks something. `since` is the sequence of the origin's
 *   newest own write of the key that the receiver was not known to have seen, 0 for none. `elements` is a list's length, -1 for
 *   what is no list.
 * - `TANDEM.NEED timestamp lack (database key)…`: asks for the `STATE` of these keys, ranked with this timestamp. `lack` is what the
 *   asker's own value lacks, 0 when it only doubts an order; 4 more when the keys are too hot there for an answer to be applied.
 * - the questions and answers of a comparison (`comparison.ts`).
 */

import { comparisonFault, isComparison } from './comparison.js';
import { encodeCommand } from './encode-command.js';

export const STATE = 'TANDEM.STATE';
export const NEED = 'TANDEM.NEED';

const STATE_ARGUMENTS = 9;
/** What is added to the lack of a `NEED` whose keys are hot. */
const HOT = 4;
/** Arguments of a `NEED` before its keys. */
const BEFORE_KEYS = 3;

/** Why these are no well-formed special command, or nothing. */
export function specialFault(args: readonly Buffer[]): 'arguments' | 'number' | undefined {
  const texts = (...at: number[]): string[] => at.map((index) => args[index]!.toString('latin1'));
  const areNumbers = (...at: number[]): boolean => texts(...at).every((text) => /^\d{1,16}$/.test(text));
  const mayBeMinusOne = (...at: number[]): boolean =>
    texts(...at).every((text) => /^(-1|\d{1,16})$/.test(text));
  if (args[0]!.toString('latin1') === STATE) {
    if (args.length !== STATE_ARGUMENTS) return 'arguments';
    return areNumbers(1, 3, 6) && mayBeMinusOne(4, 7) ? undefined : 'number';
  }
  if (args.length < BEFORE_KEYS + 2 || (args.length - BEFORE_KEYS) % 2 !== 0) return 'arguments';
  const databases = args.flatMap((_, at) => (at >= BEFORE_KEYS && (at - BEFORE_KEYS) % 2 === 0 ? [at] : []));
  return areNumbers(1, 2, ...databases) ? undefined : 'number';
}

/** Whether these are the arguments of a well-formed special command. */
export function isSpecial(args: readonly Buffer[]): boolean {
  const name = args[0]?.toString('latin1');
  if (name !== undefined && isComparison(name)) return comparisonFault(args) === undefined;
  return (name === STATE || name === NEED) && specialFault(args) === undefined;
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
  /** The origin's newest own write of the key that the receiver was not known to have seen; 0 for none. */
  readonly since: number;
  /** Length of a list; -1 for what is none. */
  readonly elements: number;
  /** As `DUMP` gives it; empty for a key that does not exist. */
  readonly dump: Buffer;
}

/** @param args of a `TANDEM.STATE`, the name first */
export function parseState(args: readonly Buffer[]): KeyState {
  const number = (at: number): number => Number(args[at]!.toString('latin1'));
  return {
    database: number(1),
    key: args[2]!,
    expiry: args[3]!,
    rankTimestamp: number(4),
    rankSite: args[5]!.toString('latin1'),
    since: number(6),
    elements: number(7),
    dump: args[8]!,
  };
}

/** What the value of a key may lack: removals of the other site's, writes of the other site's, or own writes. What is more is worse. */
export const LACK = { nothing: 0, removals: 1, writes: 2, own: 3 } as const;
export type Lack = (typeof LACK)[keyof typeof LACK];

/** A request for the state of keys. */
export interface Need {
  readonly timestamp: number;
  /** What the asker's value may lack. */
  readonly lack: Lack;
  /** Whether the keys are written so fast at the asker that an answer could not be applied: it is asked back instead. */
  readonly isHot?: boolean;
  readonly keys: readonly PlacedKey[];
}

/** The bytes of a `TANDEM.NEED`. */
export function encodeNeed({ timestamp, lack, isHot, keys }: Need): Buffer {
  const places = keys.flatMap(({ database, key }) => [database, key]);
  return encodeCommand([NEED, timestamp, lack + (isHot === true ? HOT : 0), ...places]);
}

/** @param args of a `TANDEM.NEED`, the name first */
export function parseNeed(args: readonly Buffer[]): Need {
  const flags = Number(args[2]!.toString('latin1'));
  return {
    timestamp: Number(args[1]!.toString('latin1')),
    lack: (flags % HOT) as Lack,
    isHot: flags >= HOT,
    keys: specialKeys(NEED, args),
  };
}

/** The keys a special command speaks of: the one of a `STATE`, those a `NEED` asks for. */
export function specialKeys(name: string, args: readonly Buffer[]): PlacedKey[] {
  if (name === STATE) return args.length > 2 ? [placedKey(args, 1)] : [];
  if (name !== NEED) return [];
  const keys: PlacedKey[] = [];
  for (let at = BEFORE_KEYS; at + 1 < args.length; at += 2) keys.push(placedKey(args, at));
  return keys;
}

function placedKey(args: readonly Buffer[], at: number): PlacedKey {
  return { database: Number(args[at]!.toString('latin1')), key: args[at + 1]! };
}
