/**
 * `TANDEM.STATE database key expiry rankTimestamp rankSite since elements value [form]`: the whole key as it was at this place in its
 * origin's order. Expiry in ms since 1970, 0 for none; an empty value says that there was no such key. Without a `form` the value is
 * what `DUMP` gives. `parts`: it names the value that was put together from parts (`part.ts`). `elements`: it is the commands that make
 * it (`protocol/elements.ts`), for a server that does not take the dump. `dump`: it is a dump all the same, there is nothing else.
 * `whole`: a dump, and the receiver's list may lack elements that no command took, so that none counts as taken there. The rank is what
 * it weighs against a concurrent one: timestamp -1 for no key, 0 for a value that lacks something. `since` is the sequence of the
 * origin's newest local write of the key that the receiver was not known to have seen, 0 for none. `elements` is a list's length, -1
 * for what is no list.
 */

import { elementsOf } from '../elements.js';
import type { PlacedKey } from '../../redis-commands/placed-key.js';
import {
  firstKey,
  isNumber,
  noNumber,
  numberIn,
  text,
  wrongCount,
  type MessageKind,
} from './message-kind.js';
import { assembledBy, type Assembled } from './part.js';

export const STATE = 'TANDEM.STATE';

const ARGUMENTS = 9;
const ELEMENTS = 'elements';
const LAST = 'dump';
const WHOLE = 'whole';
const PARTS = 'parts';
const FORMS: readonly string[] = [ELEMENTS, LAST, WHOLE, PARTS];
const NONE = '-1';
const NOTHING = Buffer.alloc(0);

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
  /** What was put together of its parts, where it came in these. */
  readonly assembled?: Assembled | undefined;
  /** Whether it can be had in no other form. */
  readonly isLast: boolean;
  /** Whether the receiver's value may lack elements that no command took. */
  readonly isWhole: boolean;
}

/** @param args well-formed, the name first */
export function parseState(args: readonly Buffer[]): KeyState {
  const number = (at: number): number => numberIn(args[at]!);
  return {
    database: number(1),
    key: args[2]!,
    expiry: args[3]!,
    rankTimestamp: number(4),
    rankSite: args[5]!.toString('latin1'),
    since: number(6),
    elements: number(7),
    dump: formOf(args) === ELEMENTS || formOf(args) === PARTS ? NOTHING : args[8]!,
    made: madeBy(args),
    assembled: formOf(args) === PARTS ? assembledBy(args[8]!) : undefined,
    isLast: formOf(args) === ELEMENTS || formOf(args) === LAST,
    isWhole: formOf(args) === WHOLE,
  };
}

/** The commands that make the value of a state, where it comes as these. @param args well-formed, the name first */
export function madeBy(args: readonly Buffer[]): KeyState['made'] {
  return formOf(args) === ELEMENTS ? elementsOf(args[8]!, args[2]!) : undefined;
}

/** Whether a state says that there is no such key. */
export function isAbsent({ dump, made, assembled }: KeyState): boolean {
  return made === undefined && assembled === undefined && dump.length === 0;
}

/** Whether there is no such key. @param args well-formed, the name first */
export function isAbsence(args: readonly Buffer[]): boolean {
  return args[8]!.length === 0;
}

/** Whether the value has come in parts. @param args the name first */
export function isInParts(args: readonly Buffer[]): boolean {
  return formOf(args) === PARTS;
}

export const STATE_MESSAGE: MessageKind = {
  name: STATE,
  group: 'keys',
  fault: (args) => {
    const isKnown = args.length === ARGUMENTS || FORMS.includes(formOf(args));
    if (!isKnown || args.length > ARGUMENTS + 1) return wrongCount(args);
    if (!isNumber(args[1]) || !isNumber(args[3]) || !isNumber(args[6])) return noNumber(args);
    if (!isNumberOrNone(args[4]!) || !isNumberOrNone(args[7]!)) return noNumber(args);
    const form = formOf(args);
    const isMade = form !== ELEMENTS || elementsOf(args[8]!, args[2]!) !== undefined;
    const isSound = isMade && (form !== PARTS || assembledBy(args[8]!) !== undefined);
    return isSound ? undefined : `${STATE} holds what makes no value of its key`;
  },
  keys: firstKey,
  // Nothing in it is new to a receiver that has seen all local writes in it.
  effect: (args) => (numberIn(args[6]!) === 0 ? 'copy' : 'state'),
};

function formOf(args: readonly Buffer[]): string {
  return args.length > ARGUMENTS ? text(args[ARGUMENTS]) : '';
}

function isNumberOrNone(argument: Buffer): boolean {
  return isNumber(argument) || text(argument) === NONE;
}
