/** Marks (`protocol/messages/mark.ts`): the command that runs for one that has come, and what this site tells with one that goes. */

import { BoundedMap } from '../async/bounded-map.js';
import { encodeCommand } from '../redis-commands/encode-command.js';
import { encodeMark, isBack, isSettled, type MarkTold, parseMark } from '../protocol/messages/mark.js';
import { scriptSource } from '../lua/scripts.js';
import type { KeyNames } from '../redis/keys.js';

/** How long the answer of a mark stays when no command waits for it. */
export const WAITS_MS = 3_600_000;
/** Marks remembered that went through here. */
const MAX_MARKS = 1000;

/** The command that sends a mark back, or tells who waits for it. @param args well-formed, the name first */
export function answerToMark(
  args: readonly Buffer[],
  { out, waits }: Pick<KeyNames, 'out' | 'waits'>,
): Buffer {
  const mark = parseMark(args);
  const next = encodeMark({ ...mark, number: mark.number + 1 });
  if (!isBack(mark)) return encodeCommand(['EVAL', scriptSource('write-message'), 1, out, next]);
  const { session, number, first, second } = mark;
  const told = `${number} ${first} ${second}`;
  const sent = isSettled(mark) ? '' : next;
  return encodeCommand(['EVAL', scriptSource('send-mark'), 2, waits, out, session, told, WAITS_MS, 0, sent]);
}

export interface MarksOptions {
  /** Counts the keys that the peer was asked for. */
  readonly acknowledgements: { readonly askedCount: number };
  /** The gap that is not repaired, and whether the first copy is done. */
  readonly gaps: { readonly open: object | undefined; readonly isCopied: boolean };
}

export class Marks {
  readonly #options: MarksOptions;
  /** How many keys had been asked for when a mark went through here last. */
  readonly #askedAt = new BoundedMap<string, number>(MAX_MARKS);

  constructor(options: MarksOptions) {
    this.#options = options;
  }

  /** A mark that goes out, with what this site has to tell. @param args well-formed, the name first */
  told(args: readonly Buffer[]): Buffer {
    const mark = parseMark(args);
    const tells = this.#tells(mark.session);
    return encodeMark(isBack(mark) ? { ...mark, second: tells } : { ...mark, first: tells });
  }

  #tells(session: string): MarkTold {
    const { acknowledgements, gaps } = this.#options;
    const [before, now] = [this.#askedAt.get(session), acknowledgements.askedCount];
    this.#askedAt.set(session, now);
    if (gaps.open) return 'c';
    if (!gaps.isCopied) return 'f';
    return before === now ? 'q' : 'a';
  }
}
