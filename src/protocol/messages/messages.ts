/**
 * Changes of Tandem's own making. They travel among the application's commands, at their place in the order, and are translated by the
 * receiver, never run as they are.
 *
 * - `TANDEM.STATE database key expiry rankTimestamp rankSite since elements value [form]`: the whole key as it was at this place in its
 *   origin's order. Expiry in ms since 1970, 0 for none; an empty value says that there was no such key. Without a `form` the value is
 *   what `DUMP` gives. `elements`: it is the commands that make it (`protocol/elements.ts`), for a server that does not take the dump.
 *   `dump`: it is a dump all the same, there is nothing else. `whole`: a dump, and the receiver's list may lack elements that no command
 *   took, so that none counts as taken there. The rank is what it weighs against a concurrent one: timestamp -1 for no key, 0 for a value
 *   that lacks something. `since` is the sequence of the origin's newest local write of the key that the receiver was not known to have
 *   seen, 0 for none. `elements` is a list's length, -1 for what is no list. `whole` behind it: the receiver's own list may lack what
 *   nobody took from it, so nothing is to be taken for taken.
 * - `TANDEM.NEED timestamp lack (database key)…`: asks for the `STATE` of these keys, ranked with this timestamp. `lack` is what the
 *   asker's own value lacks, 0 when it only doubts an order; 4 more when the keys are too hot there for an answer to be applied; 8 more
 *   when the asker does not take the sender's dumps, and wants the elements.
 * - `TANDEM.EXPIRED database key deadline field…`: the life of a key has ended at its deadline, in ms since 1970, or that of these fields
 *   of it. A server says `DEL` or `HDEL` then, as if a client had removed them.
 * - `TANDEM.FIELDS database key (field deadline)…`: the fields with a deadline of a hash that came as a whole. It never leaves the site.
 * - `TANDEM.GONE database key group id`: an entry that the receiver has delivered was not there any more at the sender's site; it is
 *   pending at neither.
 * - `TANDEM.ARRIVAL database key strategy limit id [field value…]`: an entry of a stream whose entries are added in the order of their
 *   arrival, and a trim of it. `MAXLEN` or `MINID`, or nothing where nothing is trimmed; the ID that the entry has at its origin, or
 *   nothing, and no fields, for a trim alone.
 * - the questions and answers of a comparison (`comparison.ts`), and what is said of function libraries (`libraries.ts`).
 */

import type { RecordedEffect } from '../../redis-commands/effect-code.js';
import { ANSWER, comparisonFault, isComparison, LISTED } from './comparison.js';
import { FUNCTIONS, isOfLibraries, LIBRARIES, librariesFault } from './libraries.js';
import { elementsOf } from '../elements.js';
import { encodeCommand, type Argument } from '../../redis-commands/encode-command.js';
import type { PlacedKey } from '../../redis-commands/placed-key.js';

export const STATE = 'TANDEM.STATE';
export const NEED = 'TANDEM.NEED';
export const EXPIRED = 'TANDEM.EXPIRED';
export const GONE = 'TANDEM.GONE';
export const ARRIVAL = 'TANDEM.ARRIVAL';
export const FIELDS = 'TANDEM.FIELDS';

/** Special commands that speak of keys, and are no part of a comparison. */
export const OF_KEYS: ReadonlySet<string> = new Set([STATE, NEED, EXPIRED, GONE, ARRIVAL]);

/** Messages that run nothing at their receiver: answers, and the question about libraries, which no script can answer. */
const FOR_LONG_WORK: ReadonlySet<string> = new Set([ANSWER, LISTED, FUNCTIONS, LIBRARIES]);

const STATE_ARGUMENTS = 9;
const ELEMENTS = 'elements';
const LAST = 'dump';
const WHOLE = 'whole';
const FORMS: readonly string[] = [ELEMENTS, LAST, WHOLE];
/** Added to the lack of a `NEED` whose keys are contended, and of one that asks for elements. */
const HOT = 4;
const AS_ELEMENTS = 8;
const THEIR_LACK = 16;
/** Arguments of an `ARRIVAL` before the fields of its entry. */
const BEFORE_FIELDS = 6;
const ENTRY_ID = /^\d{1,20}(-\d{1,20})?$/;
/** Arguments of a `NEED` before its keys. */
const BEFORE_KEYS = 3;

/** The fault of a special command. */
export type SpecialFault = 'arguments' | 'number' | 'elements';

/** Why these are no well-formed special command, or nothing. */
export function specialFault(args: readonly Buffer[]): SpecialFault | undefined {
  const texts = (...at: number[]): string[] => at.map((index) => args[index]!.toString('latin1'));
  const areNumbers = (...at: number[]): boolean => texts(...at).every((text) => /^\d{1,19}$/.test(text));
  const mayBeMinusOne = (...at: number[]): boolean =>
    texts(...at).every((text) => /^(-1|\d{1,19})$/.test(text));
  if (args[0]!.toString('latin1') === STATE) {
    const isKnown = args.length === STATE_ARGUMENTS || FORMS.includes(formOf(args));
    if (!isKnown || args.length > STATE_ARGUMENTS + 1) return 'arguments';
    if (!areNumbers(1, 3, 6) || !mayBeMinusOne(4, 7)) return 'number';
    const isSound = formOf(args) !== ELEMENTS || elementsOf(args[8]!, args[2]!) !== undefined;
    return isSound ? undefined : 'elements';
  }
  if (args[0]!.toString('latin1') === EXPIRED) {
    if (args.length < 4) return 'arguments';
    return areNumbers(1, 3) ? undefined : 'number';
  }
  if (args[0]!.toString('latin1') === ARRIVAL) return arrivalFault(args);
  if (args[0]!.toString('latin1') === GONE) {
    if (args.length !== 5) return 'arguments';
    return areNumbers(1) ? undefined : 'number';
  }
  if (args.length < BEFORE_KEYS + 2 || (args.length - BEFORE_KEYS) % 2 !== 0) return 'arguments';
  const databases = args.flatMap((_, at) => (at >= BEFORE_KEYS && (at - BEFORE_KEYS) % 2 === 0 ? [at] : []));
  return areNumbers(1, 2, ...databases) ? undefined : 'number';
}

function arrivalFault(args: readonly Buffer[]): SpecialFault | undefined {
  const [database, , strategy, limit, id] = args.slice(1, BEFORE_FIELDS).map((one) => one.toString('latin1'));
  const isEntry = id !== '';
  if (args.length < BEFORE_FIELDS || (args.length - BEFORE_FIELDS) % 2 !== 0) return 'arguments';
  if (isEntry !== args.length > BEFORE_FIELDS || !['', 'MAXLEN', 'MINID'].includes(strategy!))
    return 'arguments';
  const isSound =
    (strategy === '' || (strategy === 'MAXLEN' ? /^\d{1,19}$/ : ENTRY_ID).test(limit!)) &&
    (!isEntry || ENTRY_ID.test(id!));
  return isSound && /^\d{1,19}$/.test(database!) ? undefined : 'number';
}

/** Whether a message runs nothing at its receiver, and is handed to the long work there. */
export function isForLongWork(name: string): boolean {
  return FOR_LONG_WORK.has(name);
}

/** Whether these are the arguments of a well-formed special command. */
export function isSpecial(args: readonly Buffer[]): boolean {
  const name = args[0]?.toString('latin1');
  if (name !== undefined && isComparison(name)) return comparisonFault(args) === undefined;
  if (name !== undefined && isOfLibraries(name)) return librariesFault(args) === undefined;
  if (name === FIELDS) return args.length > 2 && args.length % 2 === 1;
  return name !== undefined && OF_KEYS.has(name) && specialFault(args) === undefined;
}

export interface KeyState extends PlacedKey {
  /** Milliseconds since 1970, in decimal; `0` for none. */
  readonly expiry: Buffer;
  readonly rankTimestamp: number;
  readonly rankSite: string;
  /** The origin's newest local write of the key that the receiver was not known to have seen; 0 for none. */
  readonly since: number;
  /** Length of a list; -1 for what is none. */
  readonly elements: number;
  /** As `DUMP` gives it; empty for a key that does not exist, and for one that comes as its elements. */
  readonly dump: Buffer;
  /** The commands that make it, where it comes as these. */
  readonly made: readonly (readonly Buffer[])[] | undefined;
  /** Whether it can be had in no other form. */
  readonly isLast: boolean;
  /** Whether the receiver's value may lack elements that no command took. */
  readonly isWhole: boolean;
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
    dump: formOf(args) === ELEMENTS ? NOTHING : args[8]!,
    made: formOf(args) === ELEMENTS ? elementsOf(args[8]!, args[2]!) : undefined,
    isLast: formOf(args) === ELEMENTS || formOf(args) === LAST,
    isWhole: formOf(args) === WHOLE,
  };
}

/** Whether a state says that there is no such key. */
export function isAbsent({ dump, made }: KeyState): boolean {
  return made === undefined && dump.length === 0;
}

/** Whether there is no such key. @param args of a `TANDEM.STATE`, the name first */
export function isAbsence(args: readonly Buffer[]): boolean {
  return args[8]!.length === 0;
}

const NOTHING = Buffer.alloc(0);

function formOf(args: readonly Buffer[]): string {
  return args[STATE_ARGUMENTS]?.toString('latin1') ?? '';
}

/** Whether nothing in a state is new to its receiver, which has seen all local writes in it. @param args the name first */
function isOfOldData(args: readonly Buffer[]): boolean {
  return args[0]!.toString('latin1') === STATE && parseState(args).since === 0;
}

/** The effect that is recorded of a special command on the keys it names. @param args the name first */
export function effectOfSpecial(args: readonly Buffer[]): RecordedEffect {
  const name = args[0]!.toString('latin1');
  if (name === NEED) return 'need';
  if (name === EXPIRED) return endedBy(args);
  if (name === GONE) return 'gone';
  if (name === ARRIVAL) return 'arrival';
  return isOfOldData(args) ? 'copy' : 'state';
}

/** What the value of a key may lack: removals of the other site's, writes of the other site's, or local writes. What is more is worse. */
export const LACK = { nothing: 0, removals: 1, writes: 2, own: 3 } as const;
export type Lack = (typeof LACK)[keyof typeof LACK];

/** A request for the state of keys. */
export interface Need {
  readonly timestamp: number;
  /** The lack of the asker's value. */
  readonly lack: Lack;
  /** Whether the keys are written so fast at the asker that an answer could not be applied: it is asked back instead. */
  readonly isHot?: boolean;
  /** Whether the values are to come as their elements. */
  readonly asElements?: boolean;
  /** What the values of the site that is asked lack, as it has said in the request that this one meets: it may have begun again since. */
  readonly theirLack?: Lack;
  readonly keys: readonly PlacedKey[];
}

/** The bytes of a `TANDEM.EXPIRED`. @param deadline ms since 1970 @param fields none for the key as a whole */
export function encodeExpired(
  { database, key }: PlacedKey,
  deadline: number,
  fields: readonly Buffer[] = [],
): Buffer {
  return encodeCommand([EXPIRED, database, key, deadline, ...fields]);
}

/** The fields whose lives have ended; none for the key as a whole. @param args of a `TANDEM.EXPIRED`, the name first */
export function expiredFields(args: readonly Buffer[]): readonly Buffer[] {
  return args.slice(4);
}

/** The effect that the window keeps of a `TANDEM.EXPIRED`. */
export function endedBy(args: readonly Buffer[]): 'expired' | 'field-expired' {
  return args.length > 4 ? 'field-expired' : 'expired';
}

/** The bytes of a `TANDEM.GONE`. */
export function encodeGone({ database, key }: PlacedKey, group: Argument, id: Argument): Buffer {
  return encodeCommand([GONE, database, key, group, id]);
}

/** An entry that is added where it arrives, and a trim. */
export interface Arrival extends PlacedKey {
  /** `MAXLEN` or `MINID`; empty where nothing is trimmed. */
  readonly strategy: string;
  readonly limit: string;
  /** The entry's at its origin; empty for a trim alone. */
  readonly id: string;
  /** And values; none for a trim alone. */
  readonly fields: readonly Buffer[];
}

/** The arguments of a `TANDEM.ARRIVAL`, the name first. */
export function arrivalArguments({ database, key, strategy, limit, id, fields }: Arrival): Buffer[] {
  const [name, place, ...rest] = [ARRIVAL, String(database), strategy, limit, id].map((text) =>
    Buffer.from(text),
  );
  return [name!, place!, key, ...rest, ...fields];
}

/** @param args of a `TANDEM.ARRIVAL`, the name first */
export function parseArrival(args: readonly Buffer[]): Arrival {
  const [strategy, limit, id] = args.slice(3, BEFORE_FIELDS).map((one) => one.toString('latin1'));
  return {
    ...placedKey(args, 1),
    strategy: strategy!,
    limit: limit!,
    id: id!,
    fields: args.slice(BEFORE_FIELDS),
  };
}

/** @param args of a `TANDEM.EXPIRED`, the name first */
export function expiredAt(args: readonly Buffer[]): number {
  return Number(args[3]!.toString('latin1'));
}

/** The bytes of a `TANDEM.NEED`. */
export function encodeNeed({
  timestamp,
  lack,
  isHot,
  asElements,
  theirLack = LACK.nothing,
  keys,
}: Need): Buffer {
  const places = keys.flatMap(({ database, key }) => [database, key]);
  const form = (isHot === true ? HOT : 0) + (asElements === true ? AS_ELEMENTS : 0);
  return encodeCommand([NEED, timestamp, lack + form + theirLack * THEIR_LACK, ...places]);
}

/** @param args of a `TANDEM.NEED`, the name first */
export function parseNeed(args: readonly Buffer[]): Need {
  const flags = Number(args[2]!.toString('latin1'));
  return {
    timestamp: Number(args[1]!.toString('latin1')),
    lack: (flags % HOT) as Lack,
    isHot: (flags & HOT) !== 0,
    asElements: (flags & AS_ELEMENTS) !== 0,
    theirLack: (Math.floor(flags / THEIR_LACK) % HOT) as Lack,
    keys: specialKeys(NEED, args),
  };
}

/** The keys a special command speaks of: those a `NEED` asks for, the one of any other. */
export function specialKeys(name: string, args: readonly Buffer[]): PlacedKey[] {
  if (name === STATE || name === EXPIRED || name === GONE || name === ARRIVAL || name === FIELDS)
    return args.length > 2 ? [placedKey(args, 1)] : [];
  if (name !== NEED) return [];
  const keys: PlacedKey[] = [];
  for (let at = BEFORE_KEYS; at + 1 < args.length; at += 2) keys.push(placedKey(args, at));
  return keys;
}

function placedKey(args: readonly Buffer[], at: number): PlacedKey {
  return { database: Number(args[at]!.toString('latin1')), key: args[at + 1]! };
}
