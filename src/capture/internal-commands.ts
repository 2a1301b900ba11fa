/** Reads what Tandem's own commands say when they go by in the stream. */

import type { InternalEvents } from './change-sink.js';
import type { KnownName } from '../redis-commands/command-names.js';
import type { CommandReader } from '../redis-commands/command-reader.js';
import { writtenKeys } from '../redis-commands/command-table.js';
import { messageKeys } from '../protocol/messages/messages.js';
import type { KeyNames } from '../redis/keys.js';
import type { PlacedKey } from '../redis-commands/placed-key.js';
import { readMessages } from './written-messages.js';

/** The arguments of the one message in these bytes; nothing when they are anything else. */
export function readMessage(bytes: Buffer): readonly Buffer[] | undefined {
  const messages = readMessages(bytes);
  return messages?.length === 1 ? messages[0]!.args : undefined;
}

/** The keys that a request in these bytes names; none when they are anything else. */
export function keysNamed(bytes: Buffer): PlacedKey[] {
  const args = readMessage(bytes);
  return args === undefined ? [] : messageKeys(args[0]!.toString('latin1'), args);
}

/** The fields of an `HSET key field value …`. */
export function fieldsOf(reader: CommandReader): Map<string, string> {
  const fields = new Map<string, string>();
  for (let i = 2; i + 1 < reader.argc; i += 2)
    fields.set(reader.argument(i).toString('latin1'), reader.argument(i + 1).toString('latin1'));
  return fields;
}

/** Whether the first key of a command, or the argument at another place, begins with a prefix. */
export function isOnKeyOf(reader: CommandReader, prefix: Buffer, at = 1): boolean {
  const place = { start: reader.argumentStart(at), end: reader.argumentEnd(at) };
  return startsWith(reader.buffer, place, prefix);
}

/** Whether what lies in `buffer` from `start` to `end` begins with a prefix. */
function startsWith(
  buffer: Buffer,
  { start, end }: { readonly start: number; readonly end: number },
  prefix: Buffer,
): boolean {
  if (end - start < prefix.length || buffer[start] !== prefix[0]) return false;
  for (let i = 1; i < prefix.length; i++) if (buffer[start + i] !== prefix[i]) return false;
  return true;
}

/** Tells the other stages what a command on one of Tandem's keys says. */
export function tell(
  reader: CommandReader,
  { name, key }: { readonly name: string; readonly key: string },
  { keys, events }: { readonly keys: KeyNames; readonly events: InternalEvents },
): void {
  if (key === keys.inbox && name === 'RPUSH') {
    for (let i = 2; i < reader.argc; i++) events.delivered(reader.argument(i));
  } else if (key === keys.received && name === 'HSET') {
    const fields = fieldsOf(reader);
    if (fields.has('beat')) events.heartbeat(fields);
    if (fields.has('told')) events.told(fields.get('told')!);
    const rewound = fields.get('rewound');
    if (rewound !== undefined) events.rewound(rewound);
  } else if (key === keys.barrier && name === 'SET') {
    events.barrier(reader.argument(2).toString('latin1'));
  }
}

/** Whether the first key of the command in the reader is this one. */
export function isKey(reader: CommandReader, key: Buffer): boolean {
  if (reader.argc < 2) return false;
  const start = reader.argumentStart(1);
  const end = reader.argumentEnd(1);
  return end - start === key.length && startsWith(reader.buffer, { start, end }, key);
}

/**
 * Whether these are the fields of a marker. A client may write anything there. Without numbers it is no marker: they would go into every
 * batch from there on.
 */
export function isMarker(fields: ReadonlyMap<string, string>): boolean {
  return ['n', 'epoch', 'decided'].every((field) => Number.isSafeInteger(Number(fields.get(field) ?? NaN)));
}

/** Whether a command is Tandem's own. One that writes a key that is not is the application's, whatever its first key. */
export function isInternal({ spec }: KnownName, args: readonly Buffer[], prefix: Buffer): boolean {
  const hasPrefix = (key: Buffer): boolean => startsWith(key, { start: 0, end: key.length }, prefix);
  if (args.length < 2 || !hasPrefix(args[1]!)) return false;
  return spec === undefined || writtenKeys(spec, args).every((index) => hasPrefix(args[index]!));
}
