import type { Redis } from 'ioredis';
import { passesByItself } from '../errors.js';
import { answerOf, refusalOf, whereOf } from './connect.js';
import type { ServerCommands } from '../redis-commands/command-names.js';
import { COMMAND_TABLE, commandSpec, type CommandSpec } from '../redis-commands/command-table.js';
import { keys, row } from '../redis-commands/table/command-spec.js';

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
 * newer server's. They are sent as they are, and may do anything to their keys. A server that does not list its commands is asked for
 * those of the table.
 */
export async function serverCommands(client: Redis): Promise<ServerCommands> {
  const entries = await listedCommands(client);
  if (!entries) return { writes: new Map(), names: await knownNames(client) };
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

/** Nothing where the account may not ask, or the command has another name. */
async function listedCommands(client: Redis): Promise<CommandEntry[] | undefined> {
  try {
    return (await answerOf(client, client.call('COMMAND'))) as CommandEntry[];
  } catch (error) {
    if (passesByItself(error)) throw error;
    return undefined;
  }
}

/** Would do something without an argument, were they run; every server has them. */
const NOT_TRIED: ReadonlySet<string> = new Set(['FLUSHALL', 'FLUSHDB']);

/**
 * Which commands of the table the server knows: it says of each that it takes more arguments, or that there is none of the name. A
 * command that needs none is queued and discarded, not run.
 */
async function knownNames(client: Redis): Promise<ReadonlySet<string>> {
  const names = [...new Set(COMMAND_TABLE.map(({ name }) => name.split(' ')[0]!))];
  const tried = names.filter((name) => !NOT_TRIED.has(name));
  const calls = [['MULTI'], ...tried.map((name) => [name]), ['DISCARD']];
  const replies = (await client.pipeline(calls.map((call) => ['call', ...call])).exec()) ?? [];
  const lost = replies.find(([error]) => error !== null && error.name !== 'ReplyError')?.[0];
  if (lost) throw refusalOf(lost, whereOf(client));
  const isUnknown = (at: number): boolean => /unknown command/i.test(replies[at + 1]?.[0]?.message ?? '');
  const unknown = new Set(tried.filter((_, at) => isUnknown(at)));
  return new Set(names.filter((name) => !unknown.has(name)));
}
