/**
 * `TANDEM.FIELDS database key (field deadline)…`: the fields with a deadline of a hash that came as a whole. It never leaves the site.
 */

import type { PlacedKey } from '../../redis-commands/placed-key.js';
import { firstKey, placedKey, wrongCount, type MessageKind } from './message-kind.js';

export const FIELDS = 'TANDEM.FIELDS';

export interface FieldDeadlinesTold extends PlacedKey {
  /** ms since 1970 */
  readonly deadlines: readonly (readonly [field: string, deadline: number])[];
}

/** @param args well-formed, the name first */
export function parseFieldDeadlines(args: readonly Buffer[]): FieldDeadlinesTold {
  const deadlines: [string, number][] = [];
  for (let at = 3; at + 1 < args.length; at += 2)
    deadlines.push([args[at]!.toString('latin1'), Number(args[at + 1]!.toString('latin1'))]);
  return { ...placedKey(args, 1), deadlines };
}

export const FIELDS_MESSAGE: MessageKind = {
  name: FIELDS,
  group: 'site',
  fault: (args) => (args.length > 2 && args.length % 2 === 1 ? undefined : wrongCount(args)),
  keys: firstKey,
};
