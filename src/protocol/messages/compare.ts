/**
 * `TANDEM.COMPARE session number (database key entry)…`: what the asking site holds at this place. The receiver holds the same keys
 * against it at the same place, and answers (`answer.ts`). An entry is what `digest-keys.lua` makes of a value; `-` says that there is
 * none, a `!` at its end that parts of it are about to expire.
 *
 * Questions and answers of a comparison travel among the changes, each at its place in the order. So what they tell of a key is exact,
 * while both sites go on being written.
 */

import type { PlacedKey } from '../../redis-commands/placed-key.js';
import { EXCLUDED } from './finding.js';
import {
  keysOfTriples,
  questionFault,
  text,
  tripleArguments,
  triples,
  triplesFault,
  type MessageKind,
} from './message-kind.js';

export const COMPARE = 'TANDEM.COMPARE';

const BEFORE_KEYS = 3;
/** No entry of the peer's may be {@link EXCLUDED}. */
const ENTRY = /^(?:-|[a-z][\da-f]{16}(?::\d{1,19}~?)?!?)$/;
const DIGEST_BYTES = 16;
const [ZERO, NINE, LOW_A, LOW_F, LOW_Z] = [48, 57, 97, 102, 122];

/** A question without the keys that are excluded. @param args well-formed, the name first */
export function questionWithout(
  args: readonly Buffer[],
  isExcluded: (key: PlacedKey) => boolean,
): readonly Buffer[] {
  const kept = triples(args, BEFORE_KEYS).filter(({ placed }) => !isExcluded(placed));
  return [...args.slice(0, BEFORE_KEYS), ...kept.flatMap(tripleArguments)];
}

/** The keys of a question, each with its database and its entry. @param args well-formed, the name first */
export function questioned(args: readonly Buffer[]): readonly Buffer[] {
  return args.slice(BEFORE_KEYS);
}

/** The question as it is handed to the script: excluded keys are named, and not to be looked at. @returns its triples */
export function hidingExcluded(
  args: readonly Buffer[],
  isExcluded: (key: PlacedKey) => boolean,
): readonly Buffer[] {
  return triples(args, BEFORE_KEYS).flatMap(({ placed, third }) =>
    tripleArguments({ placed, third: isExcluded(placed) ? EXCLUDED : third }),
  );
}

export const COMPARE_MESSAGE: MessageKind = {
  name: COMPARE,
  group: 'comparison',
  fault: (args) => questionFault(args) ?? triplesFault(args, BEFORE_KEYS, isEntry),
  keys: (args) => keysOfTriples(args, BEFORE_KEYS),
};

/** Most have no expiry: they are known without making a text of them. */
function isEntry(argument: Buffer): boolean {
  return isDigest(argument) || ENTRY.test(text(argument));
}

function isDigest(argument: Buffer): boolean {
  if (argument.length !== 1 + DIGEST_BYTES || argument[0]! < LOW_A || argument[0]! > LOW_Z) return false;
  for (let at = 1; at < argument.length; at++) {
    const byte = argument[at]!;
    const isDigit = byte >= ZERO && byte <= NINE;
    if (!isDigit && (byte < LOW_A || byte > LOW_F)) return false;
  }
  return true;
}
