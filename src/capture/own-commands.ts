/** Reads what Tandem's own commands say when they go by in the stream. */

import { CommandReader } from '../change/command-reader.js';
import { isSpecial, specialKeys, type PlacedKey } from '../change/special.js';

/** The arguments of the one special command in these bytes; nothing when they are anything else. */
export function readSpecial(bytes: Buffer): Buffer[] | undefined {
  const reader = new CommandReader();
  try {
    reader.push(Buffer.from(bytes));
    if (!reader.next() || reader.consumed !== bytes.length) return undefined;
  } catch {
    return undefined;
  }
  const args = reader.arguments();
  return isSpecial(args) ? args : undefined;
}

/** The keys that a request in these bytes names; none when they are anything else. */
export function keysNamed(bytes: Buffer): PlacedKey[] {
  const args = readSpecial(bytes);
  return args === undefined ? [] : specialKeys(args[0]!.toString('latin1'), args);
}

/** The fields of an `HSET key field value …`. */
export function fieldsOf(reader: CommandReader): Map<string, string> {
  const fields = new Map<string, string>();
  for (let i = 2; i + 1 < reader.argc; i += 2)
    fields.set(reader.argument(i).toString('latin1'), reader.argument(i + 1).toString('latin1'));
  return fields;
}
