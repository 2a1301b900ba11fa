/**
 * `TANDEM.ARRIVAL database key strategy limit id [field value…]`: an entry of a stream whose entries are added in the order of their
 * arrival, and a trim of it. `MAXLEN` or `MINID`, or nothing where nothing is trimmed; the ID that the entry has at its origin, or
 * nothing, and no fields, for a trim alone.
 */

import type { PlacedKey } from '../../redis-commands/placed-key.js';
import {
  firstKey,
  isNumber,
  noNumber,
  placedKey,
  text,
  wrongCount,
  type MessageKind,
} from './message-kind.js';

export const ARRIVAL = 'TANDEM.ARRIVAL';

const BEFORE_FIELDS = 6;
const ENTRY_ID = /^\d{1,20}(-\d{1,20})?$/;

/** An entry that is added where it arrives, and a trim. */
export interface Arrival extends PlacedKey {
  /** `MAXLEN` or `MINID`; empty where nothing is trimmed. */
  readonly strategy: string;
  readonly limit: string;
  /** The entry's at its origin; empty for a trim alone. */
  readonly id: string;
  /** And values; none for a trim alone. */
  readonly fields: readonly Buffer[];
}

/** The arguments of the message, the name first. */
export function arrivalArguments({ database, key, strategy, limit, id, fields }: Arrival): Buffer[] {
  const [name, place, ...rest] = [ARRIVAL, String(database), strategy, limit, id].map((one) =>
    Buffer.from(one),
  );
  return [name!, place!, key, ...rest, ...fields];
}

/** @param args well-formed, the name first */
export function parseArrival(args: readonly Buffer[]): Arrival {
  const [strategy, limit, id] = args.slice(3, BEFORE_FIELDS).map((one) => one.toString('latin1'));
  return {
    ...placedKey(args, 1),
    strategy: strategy!,
    limit: limit!,
    id: id!,
    fields: args.slice(BEFORE_FIELDS),
  };
}

export const ARRIVAL_MESSAGE: MessageKind = {
  name: ARRIVAL,
  group: 'keys',
  fault: (args) => {
    const [strategy, limit, id] = args.slice(3, BEFORE_FIELDS).map(text);
    const isEntry = id !== '';
    if (args.length < BEFORE_FIELDS || (args.length - BEFORE_FIELDS) % 2 !== 0) return wrongCount(args);
    if (isEntry !== args.length > BEFORE_FIELDS || !['', 'MAXLEN', 'MINID'].includes(strategy!))
      return wrongCount(args);
    const isSound =
      (strategy === '' || (strategy === 'MAXLEN' ? isNumber(args[4]) : ENTRY_ID.test(limit!))) &&
      (!isEntry || ENTRY_ID.test(id!));
    return isSound && isNumber(args[1]) ? undefined : noNumber(args);
  },
  keys: firstKey,
  effect: () => 'arrival',
};
