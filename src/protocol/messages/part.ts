/**
 * `TANDEM.PART database key id number type [element…]`: a part of the value of a key that is too large to be sent in one step of a
 * server. The receiver puts the parts together beside its keys (`assemble-part.lua`). A state that names the value by its `id` puts it
 * in its place (`state.ts`). Parts count from 1; number 0 says that no more comes. Of a string there is one element, of a hash fields,
 * each with its value, of a sorted set members, each with its score.
 */

import { encodeCommand } from '../../redis-commands/encode-command.js';
import type { PlacedKey } from '../../redis-commands/placed-key.js';
import { firstKey, isNumber, text, wrongCount, type MessageKind } from './message-kind.js';

export const PART = 'TANDEM.PART';

/** What a process says that reads these messages (`reads` of `in:site`). */
export const READS_PARTS = 'parts';

/** Arguments before the elements. */
const BEFORE_ELEMENTS = 6;
const ID = /^[\da-z.-]{1,60}$/;
/** Types that are put together from parts, with how many arguments an element has; 0 for one that is one argument alone. */
const ARGUMENTS: ReadonlyMap<string, number> = new Map([
  ['string', 0],
  ['list', 1],
  ['set', 1],
  ['hash', 2],
  ['zset', 2],
]);

/** A value that was put together from parts. */
export interface Assembled {
  /** Names it, for its sender has numbered its values. */
  readonly id: string;
  readonly parts: number;
  readonly type: string;
  /** Elements, or the bytes of a string. */
  readonly length: number;
}

/** Says that no further part of a value comes, and that the value is of no use. */
export function encodeNoMoreParts({ database, key }: PlacedKey, id: string): Buffer {
  return encodeCommand([PART, database, key, id, 0, 'string', '']);
}

/** A part, but for its elements. @param args well-formed, the name first */
export function parsePart(args: readonly Buffer[]): {
  readonly id: Buffer;
  readonly number: Buffer;
  readonly type: Buffer;
  readonly elements: readonly Buffer[];
} {
  const [, , , id, number, type] = args as [Buffer, Buffer, Buffer, Buffer, Buffer, Buffer];
  return { id, number, type, elements: args.slice(BEFORE_ELEMENTS) };
}

/** As the value of a state names it; undefined where it names none. */
export function assembledBy(value: Buffer): Assembled | undefined {
  const [id = '', parts, type = '', length, ...more] = text(value).split(' ');
  const isSound = ID.test(id) && ARGUMENTS.has(type) && more.length === 0;
  if (!isSound || !isNumber(Buffer.from(parts ?? '')) || !isNumber(Buffer.from(length ?? '')))
    return undefined;
  return { id, parts: Number(parts), type, length: Number(length) };
}

export const PART_MESSAGE: MessageKind = {
  name: PART,
  group: 'comparison',
  fault: (args) => {
    const each = ARGUMENTS.get(text(args[5]));
    const count = args.length - BEFORE_ELEMENTS;
    const isWhole = each === 0 ? count === 1 : count >= 0 && each !== undefined && count % each === 0;
    if (!isWhole) return wrongCount(args);
    const isSound = isNumber(args[1]) && ID.test(text(args[3])) && isNumber(args[4]);
    return isSound ? undefined : `${PART} names no value`;
  },
  keys: firstKey,
};
