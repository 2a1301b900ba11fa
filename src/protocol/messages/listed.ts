/** `TANDEM.LISTED session number cursor key…`: names of keys (`list.ts`), and the cursor to go on with; 0 when there are no more. */

import { questionFault, text, type MessageKind } from './message-kind.js';

export const LISTED = 'TANDEM.LISTED';

export const CURSOR = /^\d{1,20}$/;
const BEFORE_NAMES = 4;

export interface Listed {
  readonly session: string;
  readonly number: number;
  readonly cursor: string;
  readonly keys: readonly Buffer[];
}

/** @param args well-formed, the name first */
export function parseListed(args: readonly Buffer[]): Listed {
  return {
    session: text(args[1]),
    number: Number(text(args[2])),
    cursor: text(args[3]),
    keys: args.slice(BEFORE_NAMES),
  };
}

/** A list of names without those that are left out. @param args well-formed, the name first */
export function namesAmong(args: readonly Buffer[], passes: (key: Buffer) => boolean): readonly Buffer[] {
  return [...args.slice(0, BEFORE_NAMES), ...args.slice(BEFORE_NAMES).filter(passes)];
}

export const LISTED_MESSAGE: MessageKind = {
  name: LISTED,
  group: 'comparison',
  isForLongWork: true,
  fault: (args) =>
    questionFault(args) ?? (CURSOR.test(text(args[3])) ? undefined : `${LISTED} lacks a cursor`),
  keys: () => [],
};
