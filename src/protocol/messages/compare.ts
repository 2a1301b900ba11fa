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
import { questionFault, tripleArguments, triples, triplesFault, type MessageKind } from './message-kind.js';

export const COMPARE = 'TANDEM.COMPARE';

const BEFORE_KEYS = 3;
/** No entry of the peer's may be {@link EXCLUDED}. */
const ENTRY = /^(?:-|[a-z][\da-f]{16}(?::\d{1,19}~?)?!?)$/;

/** A question without the keys that are excluded. @param args well-formed, the name first */
export function questionWithout(
  args: readonly Buffer[],
  isExcluded: (key: PlacedKey) => boolean,
): readonly Buffer[] {
  const kept = triples(args, BEFORE_KEYS).filter(({ placed }) => !isExcluded(placed));
  return [...args.slice(0, BEFORE_KEYS), ...kept.flatMap(tripleArguments)];
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
  fault: (args) => questionFault(args) ?? triplesFault(args, BEFORE_KEYS, ENTRY),
  keys: (args) => triples(args, BEFORE_KEYS).map(({ placed }) => placed),
};
