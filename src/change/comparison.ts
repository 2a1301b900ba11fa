/**
 * Questions and answers of a comparison of the two sites. Like a `TANDEM.STATE` they travel among the changes, each at its place in
 * the order, so what they tell of a key is exact, while both sites go on being written.
 *
 * - `TANDEM.COMPARE session number (database key entry)…`: what the asking site holds at this place. The receiver holds the same
 *   keys against it at the same place, and answers. An entry is what `digest.lua` makes of a value; `-` says that there is none,
 *   a `!` at its end that parts of it are about to expire.
 * - `TANDEM.ANSWER session number seen (database key finding)…`: the keys that differ, of the question with that number. `seen` is
 *   that of the question: what was written at the answering site behind it makes a finding worthless (`busy`), also that a key is
 *   equal, since such a write may make up for exactly what is missing. An `n` behind a finding says that the answering site had no
 *   such key when the sites first met.
 * - `TANDEM.LIST session number database cursor count`: asks for some of the names of the receiver's keys, as `SCAN` gives them.
 * - `TANDEM.LISTED session number cursor key…`: those names, and the cursor to go on with; 0 when there are no more.
 */

import { encodeCommand } from './encode-command.js';
import type { PlacedKey } from './special.js';

export const COMPARE = 'TANDEM.COMPARE';
export const ANSWER = 'TANDEM.ANSWER';
export const LIST = 'TANDEM.LIST';
export const LISTED = 'TANDEM.LISTED';

/** Names a peer may ask for in one go: the server is held up by it. */
const MAX_LISTED = 10_000;

/**
 * What is found about a key, as the asking site sees it. `busy`: it was being written at the answering site; `equal`: so it was, and
 * it was equal all the same; `passing`: it is about to expire, or parts of it are.
 */
export type Finding =
  | 'missing-there'
  | 'missing-here'
  | 'type'
  | 'value'
  | 'expiry'
  | 'busy'
  | 'equal'
  | 'passing';

/** A key that differs, or cannot be told. */
export interface Found extends PlacedKey {
  readonly finding: Finding;
  /** Roughly the bytes of the value at the answering site; 0 when there is none. */
  readonly bytes: number;
  /** Whether the answering site had no such key when the sites first met. */
  readonly isNewThere: boolean;
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
};

const [EQUAL, PASSING, BUSY] = ['q', 'b', 'w'];

const SESSION = /^[\da-z-]{1,40}$/;
const NUMBER = /^\d{1,16}$/;
const CURSOR = /^\d{1,20}$/;
const FINDING = /^[motvebqw]\d{0,16}n?$/;
const ENTRY = /^(?:-|[a-z][\da-f]{16}(?::\d{1,16}~?)?!?)$/;

/** Whether a command is a question or an answer, well-formed or not. */
export function isComparison(name: string): boolean {
  return name === COMPARE || name === ANSWER || name === LIST || name === LISTED;
}

/** What is wrong with the arguments (the name first) of a question or an answer; nothing when it is well-formed. */
export function comparisonFault(args: readonly Buffer[]): string | undefined {
  const name = text(args[0]);
  if (!SESSION.test(text(args[1])) || !NUMBER.test(text(args[2]))) return `${name} names no question`;
  switch (name) {
    case COMPARE:
      return triplesFault(args, 3, ENTRY);
    case ANSWER:
      return NUMBER.test(text(args[3])) ? triplesFault(args, 4, FINDING) : `${name} lacks a number`;
    case LIST: {
      const isSound = args.length === 6 && NUMBER.test(text(args[3])) && CURSOR.test(text(args[4]));
      const count = NUMBER.test(text(args[5])) ? Number(text(args[5])) : 0;
      return isSound && count >= 1 && count <= MAX_LISTED ? undefined : `${name} asks for what nobody has`;
    }
    default:
      return CURSOR.test(text(args[3])) ? undefined : `${name} lacks a cursor`;
  }
}

/** The keys that a question or an answer names. @param args well-formed, the name first */
export function comparedKeys(args: readonly Buffer[]): PlacedKey[] {
  const name = text(args[0]);
  const from = name === COMPARE ? 3 : 4;
  return name === COMPARE || name === ANSWER ? triples(args, from).map(({ placed }) => placed) : [];
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
  return {
    session: text(args[1]),
    number: Number(text(args[2])),
    found: triples(args, 4).map(({ placed, third }) => ({
      ...placed,
      finding: FINDINGS[third[0]!]!,
      bytes: Number.parseInt(third.slice(1) || '0', 10),
      isNewThere: third.endsWith('n'),
    })),
  };
}

/** @param args of a well-formed `TANDEM.LISTED`, the name first */
export function parseListed(args: readonly Buffer[]): Listed {
  return {
    session: text(args[1]),
    number: Number(text(args[2])),
    cursor: text(args[3]),
    keys: args.slice(4),
  };
}

/**
 * The answer with the keys marked that were written where it was made, by somebody the asking site had not heard of (`isBusy`), and
 * those that were not there when the sites first met (`isNew`); without those that are equal and were not being written.
 * @param args of a well-formed `TANDEM.ANSWER`, the name first
 */
export function withMarks(
  args: readonly Buffer[],
  {
    isBusy,
    isNew,
  }: { isBusy: (key: PlacedKey, seen: number) => boolean; isNew: (key: PlacedKey) => boolean },
): Buffer {
  const seen = Number(text(args[3]));
  const marked: (Buffer | string | number)[] = args.slice(0, 4);
  for (const { placed, third } of triples(args, 4)) {
    const [wasBusy, isEqual] = [isBusy(placed, seen), third === EQUAL];
    if (isEqual && !wasBusy) continue;
    const finding = wasBusy && !isEqual && third !== PASSING ? BUSY : third;
    marked.push(placed.database, placed.key, finding + (isNew(placed) ? 'n' : ''));
  }
  return encodeCommand(marked);
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
