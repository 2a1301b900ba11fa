/**
 * `TANDEM.DIGESTED session number cut database key entry bytes about`: the digest of a large value (`digest.ts`), as it is at this place.
 * `entry` is that of `digest-keys.lua`; `*` says that the key was written again and again, `x` that the answering site leaves it out.
 * `cut` and `about` are what an answer of a comparison says (`answer.ts`): an open gap; `n` for a key that is new at the answering site, and
 * `@own,peer` for who wrote it when.
 */

import { encodeCommand } from '../../redis-commands/encode-command.js';
import { NO_CLAIM, type Claim } from '../claim.js';
import { encodeGap, isGap, parseGap, type Gap } from '../gap.js';
import type { DigestQuestion } from './digest.js';
import { isNumber, placedKey, questionFault, text, type MessageKind } from './message-kind.js';

export const DIGESTED = 'TANDEM.DIGESTED';

/** In place of an entry: the key was written again and again; the key is left out. */
export const WRITTEN = '*';
export const LEFT_OUT = 'x';

export interface Digested extends DigestQuestion {
  readonly entry: string;
  /** Roughly those of the value; 0 when there is none. */
  readonly bytes: number;
  readonly isNewThere: boolean;
  readonly claim: Claim;
  readonly cut: Gap | undefined;
}

const BYTES = /^\d{1,16}$/;
const ENTRY = /^(?:[-*x]|[a-z][\da-f]{16}(?::\d{1,19}~?)?!?)$/;
const ABOUT = /^(?:-|(n?)(?:@(\d{1,16}),(\d{1,16}))?)$/;

/** The answer as the process writes it. Capture adds what it knows at its place ({@link digestedAbout}). */
export function encodeDigested(question: DigestQuestion, entry: string, bytes: number): Buffer {
  const { session, number, database, key } = question;
  return encodeCommand([DIGESTED, session, number, '-', database, key, entry, bytes, '-']);
}

/** @param args well-formed, the name first */
export function parseDigested(args: readonly Buffer[]): Digested {
  const [, isNew, ownMs, peerMs] = ABOUT.exec(text(args[8]))!;
  return {
    session: text(args[1]),
    number: Number(text(args[2])),
    ...placedKey(args, 4),
    entry: text(args[6]),
    bytes: Number(text(args[7])),
    isNewThere: isNew === 'n',
    claim: ownMs === undefined ? NO_CLAIM : { ownMs: Number(ownMs), peerMs: Number(peerMs) },
    cut: parseGap(text(args[3])),
  };
}

/** The answer with what the answering site knows of the key. @param args well-formed, the name first */
export function digestedAbout(
  args: readonly Buffer[],
  about: { readonly gap: Gap | undefined; readonly isNew: boolean; readonly claim: Claim },
): Buffer[] {
  const { ownMs, peerMs } = about.claim;
  const claim = ownMs + peerMs === 0 ? '' : `@${ownMs},${peerMs}`;
  const told = (about.isNew ? 'n' : '') + claim;
  return [
    ...args.slice(0, 3),
    Buffer.from(encodeGap(about.gap)),
    ...args.slice(4, -1),
    Buffer.from(told === '' ? '-' : told),
  ];
}

/** An answer about a key that is left out: it says no more. @param args well-formed, the name first */
export function leftOut(args: readonly Buffer[]): Buffer[] {
  return [...args.slice(0, 6), Buffer.from(LEFT_OUT), Buffer.from('0'), Buffer.from('-')];
}

export const DIGESTED_MESSAGE: MessageKind = {
  name: DIGESTED,
  group: 'comparison',
  isForLongWork: true,
  fault: (args) => {
    const fault = questionFault(args);
    if (fault !== undefined) return fault;
    const [cut, entry, bytes, about] = [args[3], args[6], args[7], args[8]].map(text);
    const isSound = args.length === 9 && isGap(cut!) && isNumber(args[4]);
    return isSound && ENTRY.test(entry!) && BYTES.test(bytes!) && ABOUT.test(about!)
      ? undefined
      : `${DIGESTED} says nothing of a key`;
  },
  keys: (args) => (args.length < 9 ? [] : [placedKey(args, 4)]),
};
