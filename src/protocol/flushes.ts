/** The effect of a flush: it is a deletion of every key its sender had seen. */

import { commandSpec } from '../redis-commands/command-table.js';
import { encodeCommand } from '../redis-commands/encode-command.js';
import type { PlacedKey } from '../redis-commands/placed-key.js';
import type { PayloadCommand } from './payload.js';

export function isFlush({ name }: Pick<PayloadCommand, 'name'>): boolean {
  return name === 'FLUSHALL' || name === 'FLUSHDB';
}

/** Whether a flush empties a database. */
export function empties(flush: PayloadCommand, database: number): boolean {
  return flush.name === 'FLUSHALL' || flush.database === database;
}

/** The effect of a flush on one key. */
export function asDeletion<Command extends PayloadCommand>(
  flush: Command,
  { database, key }: PlacedKey,
): Command {
  const args = [Buffer.from('DEL'), key];
  return { ...flush, database, args, name: 'DEL', spec: commandSpec('DEL'), bytes: encodeCommand(args) };
}
