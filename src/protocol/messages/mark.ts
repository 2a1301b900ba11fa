/**
 * Marks, by which `tandem wait` knows that all that was written before has arrived. A mark travels among the changes, at its place in
 * the order, and goes to and fro: each site sends it back behind all that the application of what came before it has caused.
 *
 * `TANDEM.MARK session number first second`: `number` counts the crossings from 0. What the site that began it has told last stands in
 * `first`, what the other one has told in `second`: `q`, it has asked for no key since the mark left it before; `a`, it has, or does not
 * know; `f`, its first copy is not done; `c`, its history was cut, and the repair of that is not done; `-`, nothing yet.
 *
 * When the first mark has come back, all before it is applied at the other site, or was left out there and asked for. What is asked
 * for is behind the next one. So a round in which neither site asks ends it.
 */

import { encodeCommand } from '../../redis-commands/encode-command.js';
import { questionFault, text, type MessageKind } from './message-kind.js';

export const MARK = 'TANDEM.MARK';

/** A site's word in a mark. */
export type MarkTold = '-' | 'q' | 'a' | 'f' | 'c';

export interface Mark {
  readonly session: string;
  readonly number: number;
  readonly first: MarkTold;
  readonly second: MarkTold;
}

/** Crossings with which a mark has come back twice. */
const LEAST_CROSSINGS = 4;
/** Keys that both sites write thousands of times a second are asked for to and fro; no such chain is longer. */
const MOST_CROSSINGS = 16;

const TOLD = /^[-qafc]$/;
const HEAD = Buffer.from(`*5\r\n$${MARK.length}\r\n${MARK}\r\n`);

/** Whether these are the bytes of a mark. */
export function isMark(bytes: Buffer): boolean {
  return bytes.subarray(0, HEAD.length).equals(HEAD);
}

export function encodeMark({ session, number, first, second }: Mark): Buffer {
  return encodeCommand([MARK, session, number, first, second]);
}

/** @param args of a well-formed `TANDEM.MARK`, the name first */
export function parseMark(args: readonly Buffer[]): Mark {
  const [session = '', number, first, second] = args.slice(1).map((one) => one.toString('latin1'));
  return { session, number: Number(number), first: first as MarkTold, second: second as MarkTold };
}

/** Whether a mark has come back to the site that began it. */
export function isBack({ number }: Mark): boolean {
  return number % 2 === 1;
}

/** Whether what was before a mark has arrived, with all that it has caused: such a mark goes no further. */
export function isSettled({ number, first, second }: Mark): boolean {
  if (number + 1 >= MOST_CROSSINGS) return true;
  return number + 1 >= LEAST_CROSSINGS && first === 'q' && second === 'q';
}

export const MARK_MESSAGE: MessageKind = {
  name: MARK,
  group: 'comparison',
  fault: (args) => {
    const isSound = args.length === 5 && args.slice(3).every((one) => TOLD.test(text(one)));
    return questionFault(args) ?? (isSound ? undefined : `${MARK} says nothing`);
  },
  keys: () => [],
};
