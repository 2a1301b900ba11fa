/**
 * The options of `XADD` and `XTRIM`, read in one place: whoever looks for the entry's ID, for what a trim takes, or for an option that
 * no client may use, must skip the same ones.
 */

import { isToken } from '../table/arguments.js';
import { readOptions, type Option } from './option.js';

/** Where the options of an `XADD` or `XTRIM` stand. All are indexes of arguments; the name has index 0. */
export interface StreamOptions {
  /** The limit that `MAXLEN` or `MINID` gives. The last one given counts. */
  readonly trim?: {
    readonly strategy: 'MAXLEN' | 'MINID';
    readonly at: number;
    readonly limitAt: number;
    readonly isExact: boolean;
  };
  readonly all: readonly Option[];
  /** The first argument behind the options: the entry's ID in an `XADD`. */
  readonly end: number;
}

/** Arguments that an option takes, itself included. */
const LENGTHS: Readonly<Record<string, number | undefined>> = {
  LIMIT: 2,
  NOMKSTREAM: 1,
  KEEPREF: 1,
  DELREF: 1,
  ACKED: 1,
  IDMPAUTO: 2,
  IDMP: 3,
};

/** Options that say more of a trim, or of an addition, than which entries it takes or adds. */
const REFINING: ReadonlySet<string> = new Set(['KEEPREF', 'DELREF', 'ACKED', 'IDMP', 'IDMPAUTO']);

/** @param args of the command, the name first. Options may stand in any order; behind them are the user's own words. */
export function streamOptions(args: readonly Buffer[]): StreamOptions {
  const all = readOptions(args, 2, lengthOf);
  const last = all.findLast(isTrim);
  return {
    ...(last ? { trim: trimOf(last, args) } : {}),
    all,
    end: all.at(-1)?.end ?? 2,
  };
}

/** Whether an option says more of a trim, or of an addition, than which entries it takes or adds. */
export function isRefining({ name }: Option): boolean {
  return REFINING.has(name);
}

function isTrim({ name }: Option): boolean {
  return name === 'MAXLEN' || name === 'MINID';
}

function trimOf({ name, at, end }: Option, args: readonly Buffer[]): NonNullable<StreamOptions['trim']> {
  return { strategy: name as 'MAXLEN' | 'MINID', at, limitAt: end - 1, isExact: !isToken(args[at + 1], '~') };
}

function lengthOf(name: string, args: readonly Buffer[], at: number): number {
  if (name !== 'MAXLEN' && name !== 'MINID') return LENGTHS[name] ?? 0;
  return isToken(args[at + 1], '~') || isToken(args[at + 1], '=') ? 3 : 2;
}
