import { wallMs } from '../protocol/clock.js';
import { encodeCommand, type Argument } from '../redis-commands/encode-command.js';
import type { Conflict } from './resolved.js';

/** The command that lists a conflict, values cut to `valueBytes` (0: left out). */
export function conflictEntry(
  conflict: Conflict,
  { key, cap, valueBytes }: { key: string; cap: number; valueBytes: number },
): Buffer {
  const { command, outcome, database, theirs, theirTimestamp, own, ownTimestamp } = conflict;
  const fields: Argument[] = [
    'command',
    command,
    'outcome',
    outcome,
    'database',
    database,
    'key',
    conflict.key,
    'theirTime',
    wallMs(theirTimestamp),
  ];
  if (ownTimestamp > 0) fields.push('ownTime', wallMs(ownTimestamp));
  if (valueBytes > 0) fields.push('theirs', shown(theirs, valueBytes));
  if (own && valueBytes > 0) fields.push('own', shown(own, valueBytes));
  return encodeCommand(['XADD', key, 'MAXLEN', '~', cap, '*', ...fields]);
}

function shown(args: readonly Argument[], bytes: number): Buffer {
  const parts: Buffer[] = [];
  let left = bytes;
  for (const argument of args) {
    if (left <= 0) break;
    if (parts.length > 0) parts.push(Buffer.from(' '));
    const part = (typeof argument === 'object' ? argument : Buffer.from(String(argument))).subarray(0, left);
    parts.push(part);
    left -= part.length + 1;
  }
  return Buffer.concat(parts).subarray(0, bytes);
}
