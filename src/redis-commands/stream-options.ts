/**
 * The options of `XADD` and `XTRIM`, read in one place: whoever looks for the entry's ID, for what a trim takes, or for an option that
 * no client may use, must skip the same ones.
 */

import { isToken, tokenAt } from './table/arguments.js';

/** Where the options of an `XADD` or `XTRIM` stand. All are indexes of arguments; the name has index 0. */
export interface StreamOptions {
  /** What is kept by `MAXLEN` or `MINID`; the last one given counts. */
  readonly trim?: {
    readonly strategy: 'MAXLEN' | 'MINID';
    readonly limitAt: number;
    readonly isExact: boolean;
  };
  /** Of the word `LIMIT`, which a count follows. */
  readonly limitAt?: number;
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

/** @param args of the command, the name first. Options may stand in any order; behind them are the user's own words. */
export function streamOptions(args: readonly Buffer[]): StreamOptions {
  let trim: StreamOptions['trim'];
  let limitAt: number | undefined;
  let at = 2;
  while (at < args.length) {
    const option = tokenAt(args, at);
    if (option === 'MAXLEN' || option === 'MINID') {
      const isExact = !isToken(args[at + 1], '~');
      const valueAt = isToken(args[at + 1], '=') || !isExact ? at + 2 : at + 1;
      trim = { strategy: option, limitAt: valueAt, isExact };
      at = valueAt + 1;
    } else {
      const length = LENGTHS[option];
      if (length === undefined) break;
      if (option === 'LIMIT') limitAt = at;
      at += length;
    }
  }
  return { ...(trim ? { trim } : {}), ...(limitAt === undefined ? {} : { limitAt }), end: at };
}
