/**
 * `TANDEM.ANSWER session number seen cut (database key finding)…`: the keys that differ, of the question with that number
 * (`compare.ts`). `seen` is that of the question: what was written at the answering site behind it makes a finding worthless (`busy`),
 * also that a key is equal, since such a write may make up for exactly what is missing. `cut` is the open cut of the answering site's
 * history, as `own:1795222259609` (see `protocol/gap.ts`), `-` for none. An `n` behind a finding says that the answering site had no
 * such key when the sites first met; `@own,peer` when the answering site, and the asking one as far as is known there, last wrote the
 * key, in ms since 1970, 0 where that is not known. Of a key that the answering site excludes it says nothing but that.
 */

import type { PlacedKey } from '../../redis-commands/placed-key.js';
import { NO_CLAIM, type Claim } from '../claim.js';
import { encodeGap, isGap, parseGap, type Gap } from '../gap.js';
import {
  BUSY,
  EQUAL,
  EXCLUDED,
  FINDING,
  parseFinding,
  PASSING,
  type Finding,
  type Found,
} from './finding.js';
import {
  isNumber,
  keysOfTriples,
  noNumber,
  placedKey,
  questionFault,
  text,
  tripleArguments,
  triples,
  triplesFault,
  type MessageKind,
} from './message-kind.js';

export const ANSWER = 'TANDEM.ANSWER';

const BEFORE_KEYS = 5;

export interface Answer {
  readonly session: string;
  readonly number: number;
  readonly found: readonly Found[];
}

/** @param args well-formed, the name first */
export function parseAnswer(args: readonly Buffer[]): Answer {
  const cut = parseGap(text(args[4]));
  const found = triples(args, BEFORE_KEYS).map(({ placed, third }) => parseFinding(placed, third, cut));
  return { session: text(args[1]), number: Number(text(args[2])), found };
}

/** An answer that a site has given to a question about the other one's values, as that site sees it. */
export function turned({ session, number, found }: Answer): Answer {
  return {
    session,
    number,
    found: found.map((one) => ({
      ...one,
      finding: TURNED[one.finding] ?? one.finding,
      claim: NO_CLAIM,
      cut: undefined,
    })),
  };
}

const TURNED: Partial<Record<Finding, Finding>> = {
  'missing-here': 'missing-there',
  'missing-there': 'missing-here',
};

/** The answering site, as far as only its process knows it. */
export interface AnsweringSite {
  /** Whether a key has a local write that a peer which has seen `seen` does not know of. */
  isBusy(key: PlacedKey, seen: number): boolean;
  /** Whether a key was not there when the sites first met. */
  isNew(key: PlacedKey): boolean;
  claimOf(key: PlacedKey): Claim;
  /** The gap in its history that is not repaired. */
  readonly gap: Gap | undefined;
}

/**
 * The answer with what only this process knows: which keys have writes here that the asking site had not heard of, and which were not
 * here when the sites first met. Keys that are equal, and were not being written, are left out.
 * @param args well-formed, the name first
 */
export function withMarks(args: readonly Buffer[], site: AnsweringSite): Buffer[] {
  const seen = Number(text(args[3]));
  const marked = [...args.slice(0, 4), Buffer.from(encodeGap(site.gap))];
  for (let at = BEFORE_KEYS; at + 2 < args.length; at += 3) {
    const placed = placedKey(args, at);
    const isEqual = isLetter(args[at + 2]!, EQUAL);
    const wasBusy = site.isBusy(placed, seen);
    // Nearly all are.
    if (isEqual && !wasBusy) continue;
    const third = text(args[at + 2]);
    if (third === EXCLUDED) {
      marked.push(...tripleArguments({ placed, third }));
      continue;
    }
    const finding = wasBusy && !isEqual && third !== PASSING ? BUSY : third;
    const { ownMs, peerMs } = site.claimOf(placed);
    const claim = ownMs + peerMs === 0 ? '' : `@${ownMs},${peerMs}`;
    marked.push(...tripleArguments({ placed, third: finding + (site.isNew(placed) ? 'n' : '') + claim }));
  }
  return marked;
}

/** An answer that says of excluded keys nothing but that they are excluded. @param args well-formed, the name first */
export function withExcluded(
  args: readonly Buffer[],
  isExcluded: (key: PlacedKey) => boolean,
): readonly Buffer[] {
  const found = triples(args, BEFORE_KEYS).flatMap(({ placed, third }) =>
    tripleArguments({ placed, third: isExcluded(placed) ? EXCLUDED : third }),
  );
  return [...args.slice(0, BEFORE_KEYS), ...found];
}

export const ANSWER_MESSAGE: MessageKind = {
  name: ANSWER,
  group: 'comparison',
  isForLongWork: true,
  fault: (args) => {
    const fault = questionFault(args);
    if (fault !== undefined) return fault;
    if (!isNumber(args[3]) || !isGap(text(args[4]))) return noNumber(args);
    return triplesFault(args, BEFORE_KEYS, isFinding);
  },
  keys: (args) => keysOfTriples(args, BEFORE_KEYS),
};

function isFinding(argument: Buffer): boolean {
  return isLetter(argument, EQUAL) || FINDING.test(text(argument));
}

function isLetter(argument: Buffer, letter: string): boolean {
  return argument.length === 1 && argument[0] === letter.charCodeAt(0);
}
