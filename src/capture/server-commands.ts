import type { Redis } from 'ioredis';
import { answerOf } from '../redis/connect.js';
import { commandSpec, type CommandSpec } from '../change/commands.js';
import { keys, row } from '../change/command-table/command-spec.js';

/** One entry of `COMMAND`: name, arity, flags, first key, last key, step. */
type CommandEntry = [
  name: string,
  arity: number,
  flags: string[],
  first: number,
  last: number,
  step: number,
  ...unknown[],
];

/**
 * Rows for the writing commands that this server knows and the command table does not: a module's, or a newer server's. They
 * are sent as they are, and may do anything to their keys.
 */
export async function serverCommands(client: Redis): Promise<Map<string, CommandSpec>> {
  const entries = (await answerOf(client, client.call('COMMAND'))) as CommandEntry[];
  const rows = new Map<string, CommandSpec>();
  for (const [spelt, , flags, first, last, step] of entries) {
    const name = spelt.toUpperCase();
    if (!flags.includes('write') || first < 1 || commandSpec(name) !== undefined) continue;
    rows.set(name, row(name, 'any', 'unknown', { writes: [keys(first, last, Math.max(step, 1))] }));
  }
  return rows;
}
