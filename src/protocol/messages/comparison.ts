/**
 * Questions and answers of a comparison of the two sites. Like a `TANDEM.STATE` they travel among the changes, each at its place in
 * the order, so what they tell of a key is exact, while both sites go on being written.
 *
 * - `TANDEM.COMPARE session number (database key entry)…`: what the asking site holds at this place. The receiver holds the same
 *   keys against it at the same place, and answers. An entry is what `digest-keys.lua` makes of a value; `-` says that there is none,
 *   a `!` at its end that parts of it are about to expire.
 * - `TANDEM.ANSWER session number seen cut (database key finding)…`: the keys that differ, of the question with that number. `seen`
 *   is that of the question: what was written at the answering site behind it makes a finding worthless (`busy`), also that a key is
 *   equal, since such a write may make up for exactly what is missing. `cut` is the open cut of the answering site's history, as
 *   `own:1795222259609` (see `protocol/gap.ts`), `-` for none. An `n` behind a finding says that the answering site had no such key when
 *   the sites first met; `@own,peer` when the answering site, and the asking one as far as is known there, last wrote the key, in
 *   ms since 1970, 0 where that is not known. Of a key that the answering site excludes it says nothing but that.
 * - `TANDEM.TURN session number (database key)…`: asks the receiver to put the question with that number about its own values, which
 *   the asking site then answers to itself: so a key is told that is written at the receiver alone, however fast.
 * - `TANDEM.MARK` (`marks.ts`): goes to and fro, for one who waits until all before it has arrived.
 * - `TANDEM.LIST session number database cursor count`: asks for some of the names of the receiver's keys, as `SCAN` gives them.
 * - `TANDEM.LISTED session number cursor key…`: those names, and the cursor to go on with; 0 when there are no more.
 */

import { NO_CLAIM, type Claim } from '../claim.js';
import { encodeCommand } from '../../redis-commands/encode-command.js';
import { MARK, markFault } from './marks.js';
import type { PlacedKey } from '../../redis-commands/placed-key.js';
import { encodeGap, isGap, parseGap, type Gap } from '../gap.js';

export const COMPARE = 'TANDEM.COMPARE';
export const ANSWER = 'TANDEM.ANSWER';
export const TURN = 'TANDEM.TURN';
export const LIST = 'TANDEM.LIST';
export const LISTED = 'TANDEM.LISTED';

const QUESTIONS: ReadonlySet<string> = new Set([COMPARE, ANSWER, TURN, LIST, LISTED, MARK]);

/** Names a peer may ask for in one go: the server is held up by it. */
const MAX_LISTED = 10_000;

/**
 * A finding about a key, as the asking site sees it. `busy`: it was being written at the answering site; `equal`: so it was, and it was
 * equal all the same; `passing`: it is about to expire, or parts of it are; `excluded`: the answering site leaves it out;
 * `not-comparable`: both have a value of a type that no server tells the parts of, and their dumps differ.
 */
export type Finding =
  | 'missing-there'
  | 'missing-here'
  | 'type'
  | 'value'
  | 'expiry'
  | 'busy'
  | 'equal'
  | 'passing'
  | 'excluded'
  | 'not-comparable';

/** A key that differs, or cannot be told. */
export interface Found extends PlacedKey {
  readonly finding: Finding;
  /** Roughly the bytes of the value at the answering site; 0 when there is none. */
  readonly bytes: number;
  /** Whether the answering site had no such key when the sites first met. */
  readonly isNewThere: boolean;
  /** When the answering site (`ownMs`) last wrote the key, and the asking one as far as is known there (`peerMs`). */
  readonly claim: Claim;
  /** The gap of the answering site's history that is not repaired. */
  readonly cut: Gap | undefined;
}

export interface Answer {
  readonly session: string;
  readonly number: number;
  readonly found: readonly Found[];
}

export interface Listed {
  readonly session: string;
  readonly number: number;
  readonly cursor: string;
  readonly keys: readonly Buffer[];
}

const FINDINGS: Readonly<Record<string, Finding>> = {
  m: 'missing-there',
  o: 'missing-here',
  t: 'type',
  v: 'value',
  e: 'expiry',
  b: 'passing',
  w: 'busy',
  q: 'equal',
  x: 'excluded',
  u: 'not-comparable',
};

const [EQUAL, PASSING, BUSY] = ['q', 'b', 'w'];
/** A finding; in place of an entry: this key is not to be looked at. No entry of the peer's may be that. */
const EXCLUDED = 'x';

const SESSION = /^[\da-z-]{1,40}$/;
/** An expiry has up to 19 digits; what is above 2^53 is never calculated with. */
const NUMBER = /^\d{1,19}$/;
const CURSOR = /^\d{1,20}$/;
const FINDING = /^([motvebqwxu])(\d{0,16})(n?)(?:@(\d{1,16}),(\d{1,16}))?$/;
/** Where the keys of an answer begin. */
const ANSWER_KEYS = 5;
const ENTRY = /^(?:-|[a-z][\da-f]{16}(?::\d{1,19}~?)?!?)$/;

/** Whether a command is a question or an answer, well-formed or not. */
export function isComparison(name: string): boolean {
  return QUESTIONS.has(name);
}

/** The fault in the arguments (the name first) of a question or an answer; undefined when it is well-formed. */
export function comparisonFault(args: readonly Buffer[]): string | undefined {
  const name = text(args[0]);
  if (!SESSION.test(text(args[1])) || !NUMBER.test(text(args[2]))) return `${name} names no question`;
  switch (name) {
    case COMPARE:
      return triplesFault(args, 3, ENTRY);
    case ANSWER:
      if (!NUMBER.test(text(args[3])) || !isGap(text(args[4]))) return `${name} lacks a number`;
      return triplesFault(args, ANSWER_KEYS, FINDING);
    case TURN: {
      const isSound = turnedKeys(args).every(({ database }) => Number.isInteger(database));
      return isSound && args.length >= 5 && args.length % 2 === 1
        ? undefined
        : `${name} says nothing of a key`;
    }
    case LIST: {
      const isSound = args.length === 6 && NUMBER.test(text(args[3])) && CURSOR.test(text(args[4]));
      const count = NUMBER.test(text(args[5])) ? Number(text(args[5])) : 0;
      return isSound && count >= 1 && count <= MAX_LISTED ? undefined : `${name} asks for what nobody has`;
    }
    case MARK:
      return markFault(args);
    default:
      return CURSOR.test(text(args[3])) ? undefined : `${name} lacks a cursor`;
  }
}

/** The keys that a question or an answer names. @param args well-formed, the name first */
export function comparedKeys(args: readonly Buffer[]): PlacedKey[] {
  const name = text(args[0]);
  if (name === TURN) return turnedKeys(args);
  const from = name === COMPARE ? 3 : ANSWER_KEYS;
  return name === COMPARE || name === ANSWER ? triples(args, from).map(({ placed }) => placed) : [];
}

export function encodeTurn(question: {
  session: string;
  number: number;
  keys: readonly PlacedKey[];
}): Buffer {
  const { session, number, keys } = question;
  return encodeCommand([TURN, session, number, ...keys.flatMap(({ database, key }) => [database, key])]);
}

export function encodeList(question: {
  session: string;
  number: number;
  database: number;
  cursor: string;
  count: number;
}): Buffer {
  const { session, number, database, cursor, count } = question;
  return encodeCommand([LIST, session, number, database, cursor, count]);
}

/** @param args of a well-formed `TANDEM.ANSWER`, the name first */
export function parseAnswer(args: readonly Buffer[]): Answer {
  const cut = parseGap(text(args[4]));
  const found = triples(args, ANSWER_KEYS).map(({ placed, third }): Found => {
    const [, letter, bytes, isNew, ownMs, peerMs] = FINDING.exec(third)!;
    return {
      ...placed,
      finding: FINDINGS[letter!]!,
      bytes: Number(bytes),
      isNewThere: isNew === 'n',
      claim: ownMs === undefined ? NO_CLAIM : { ownMs: Number(ownMs), peerMs: Number(peerMs) },
      cut,
    };
  });
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

/** @param args of a well-formed `TANDEM.LISTED`, the name first */
export function parseListed(args: readonly Buffer[]): Listed {
  return {
    session: text(args[1]),
    number: Number(text(args[2])),
    cursor: text(args[3]),
    keys: args.slice(4),
  };
}

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
 * @param args of a well-formed `TANDEM.ANSWER`, the name first
 */
export function withMarks(args: readonly Buffer[], site: AnsweringSite): Buffer[] {
  const seen = Number(text(args[3]));
  const marked = [...args.slice(0, 4), Buffer.from(encodeGap(site.gap))];
  for (const { placed, third } of triples(args, ANSWER_KEYS)) {
    if (third === EXCLUDED) {
      marked.push(Buffer.from(String(placed.database)), placed.key, Buffer.from(third));
      continue;
    }
    const [wasBusy, isEqual] = [site.isBusy(placed, seen), third === EQUAL];
    if (isEqual && !wasBusy) continue;
    const finding = wasBusy && !isEqual && third !== PASSING ? BUSY : third;
    const { ownMs, peerMs } = site.claimOf(placed);
    const claim = ownMs + peerMs === 0 ? '' : `@${ownMs},${peerMs}`;
    const told = finding + (site.isNew(placed) ? 'n' : '') + claim;
    marked.push(Buffer.from(String(placed.database)), placed.key, Buffer.from(told));
  }
  return marked;
}

function turnedKeys(args: readonly Buffer[]): PlacedKey[] {
  const keys: PlacedKey[] = [];
  for (let at = 3; at + 1 < args.length; at += 2)
    keys.push({ database: NUMBER.test(text(args[at])) ? Number(text(args[at])) : NaN, key: args[at + 1]! });
  return keys;
}

/** An answer that says of excluded keys nothing but that they are excluded. @param args of a well-formed one, the name first */
export function withExcluded(
  args: readonly Buffer[],
  isExcluded: (key: PlacedKey) => boolean,
): readonly Buffer[] {
  const found = triples(args, ANSWER_KEYS).flatMap(({ placed, third }) => [
    Buffer.from(String(placed.database)),
    placed.key,
    Buffer.from(isExcluded(placed) ? EXCLUDED : third, 'latin1'),
  ]);
  return [...args.slice(0, ANSWER_KEYS), ...found];
}

/** A question without the keys that are excluded. @param args of a well-formed one, the name first */
export function questionWithout(
  args: readonly Buffer[],
  isExcluded: (key: PlacedKey) => boolean,
): readonly Buffer[] {
  const kept = triples(args, 3).filter(({ placed }) => !isExcluded(placed));
  const parts = kept.flatMap(({ placed, third }) => [
    Buffer.from(String(placed.database)),
    placed.key,
    Buffer.from(third, 'latin1'),
  ]);
  return [...args.slice(0, 3), ...parts];
}

/** The question as it is handed to the script: excluded keys are named, and not to be looked at. @returns its triples */
export function hidingExcluded(
  args: readonly Buffer[],
  isExcluded: (key: PlacedKey) => boolean,
): readonly Buffer[] {
  const excluded = Buffer.from(EXCLUDED);
  return triples(args, 3).flatMap(({ placed, third }) => [
    Buffer.from(String(placed.database)),
    placed.key,
    isExcluded(placed) ? excluded : Buffer.from(third, 'latin1'),
  ]);
}

/** A list of names without those that are left out. @param args of a well-formed one, the name first */
export function namesAmong(args: readonly Buffer[], passes: (key: Buffer) => boolean): readonly Buffer[] {
  return [...args.slice(0, 4), ...args.slice(4).filter(passes)];
}

function triples(args: readonly Buffer[], from: number): { placed: PlacedKey; third: string }[] {
  const found: { placed: PlacedKey; third: string }[] = [];
  for (let i = from; i + 2 < args.length; i += 3)
    found.push({ placed: { database: Number(text(args[i])), key: args[i + 1]! }, third: text(args[i + 2]) });
  return found;
}

function triplesFault(args: readonly Buffer[], from: number, third: RegExp): string | undefined {
  if ((args.length - from) % 3 !== 0) return `${text(args[0])} has ${args.length} arguments`;
  for (let i = from; i < args.length; i += 3)
    if (!NUMBER.test(text(args[i])) || !third.test(text(args[i + 2])))
      return `${text(args[0])} says nothing of a key`;
  return undefined;
}

function text(argument: Buffer | undefined): string {
  return argument?.toString('latin1') ?? '';
}
