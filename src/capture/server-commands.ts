import type { Redis } from 'ioredis';
import { answerOf } from '../redis/connect.js';
import type { ServerCommands } from '../change/command-names.js';
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

/** Writes that never stand in a replication stream, and never come from a peer. */
const NEVER_REPLICATED: ReadonlySet<string> = new Set(['MIGRATE', 'PFDEBUG']);

/**
 * The commands this server knows, with rows for the writes among them that the command table does not know: a module's, or a
 * newer server's. They are sent as they are, and may do anything to their keys.
 */
export async function serverCommands(client: Redis): Promise<ServerCommands> {
  const entries = (await answerOf(client, client.call('COMMAND'))) as CommandEntry[];
  const writes = new Map<string, CommandSpec>();
  const names = new Set<string>();
  for (const [spelt, , flags, first, last, step] of entries) {
    const name = spelt.toUpperCase();
    names.add(name);
    if (NEVER_REPLICATED.has(name)) continue;
    if (!flags.includes('write') || first < 1 || commandSpec(name) !== undefined) continue;
    writes.set(name, row(name, 'any', 'unknown', { writes: [keys(first, last, Math.max(step, 1))] }));
  }
  return { writes, names };
}
