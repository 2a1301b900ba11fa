/**
 * The list of rejected changes as a person sees it, and what can be done about an entry.
 *
 * A rejected change is not run again: whatever was written to its keys since stands in an order that it would break, and the
 * peer has made the change already. The peer is asked for the state of these keys instead, which holds the change and all that
 * followed it; the rules for concurrent writes then leave both sites equal, and clear-rejected.lua takes the entry off the list.
 */

import type { Redis } from 'ioredis';
import { runScript } from '../lua/scripts.js';
import type { PlacedKey } from '../redis-commands/placed-key.js';
import { answerOf } from '../redis/connect.js';
import type { KeyNames } from '../redis/keys.js';
import { commandSpec } from '../redis-commands/command-table.js';
import { isOfKeys } from '../protocol/messages/messages.js';
import { STATE } from '../protocol/messages/state.js';
import { keysOf, payloadCommands, type ExtraCommands, type PayloadCommand } from '../protocol/payload.js';

export interface RejectedEntry {
  readonly id: string;
  /** When it was listed, in ms since 1970. */
  readonly at: number;
  /** Sequence of the first change of its batch. */
  readonly sequence: number;
  /** Undefined for what is on none, or was listed without it. */
  readonly database: number | undefined;
  /** The command's bytes, or its name alone. */
  readonly command: Buffer;
  /** Its first key; empty if it has none. */
  readonly key: Buffer;
  readonly error: Buffer;
  /** How often the peer was asked for its keys. */
  readonly tries: number;
}

/** The entries of the list. */
type ListedEntry = Omit<RejectedEntry, 'tries'>;

export interface Retried {
  /** Entries whose keys the peer was asked for. */
  readonly asked: readonly string[];
  /** Entries that say the same of the same keys as an older one that was asked for: they are gone. */
  readonly merged: readonly string[];
  /** Entries that cannot be tried again, and why. */
  readonly refused: readonly { readonly id: string; readonly why: string }[];
}

/** The note of tries expires so long after the last one. */
const RETRIES_MS = 30 * 86_400_000;
/** Entries one command takes off the list. */
const DROPPED_AT_ONCE = 500;

/** The newest entries, the oldest of them first. @param count how many at the most; all of them without it */
export async function readRejected(client: Redis, keys: KeyNames, count?: number): Promise<RejectedEntry[]> {
  const limit = count === undefined ? [] : (['COUNT', count] as const);
  const newest = (await answerOf(
    client,
    client.callBuffer('XREVRANGE', keys.rejected, '+', '-', ...limit),
  )) as StreamEntry[];
  return withTries(client, keys, newest.toReversed().map(entryOf));
}

/** Those of the entries that are still there. */
export async function findRejected(
  client: Redis,
  keys: KeyNames,
  ids: readonly string[],
): Promise<RejectedEntry[]> {
  const found: ListedEntry[] = [];
  for (const id of new Set(ids)) {
    const entries = await answerOf(client, client.callBuffer('XRANGE', keys.rejected, id, id));
    found.push(...(entries as StreamEntry[]).map(entryOf));
  }
  return withTries(client, keys, found);
}

export async function countRejected(client: Redis, keys: KeyNames): Promise<number> {
  return answerOf(client, client.xlen(keys.rejected));
}

/** Asks the peer for the keys of these entries; each key is asked for once. The entries stay until its answer is applied. */
export async function retryRejected(
  client: Redis,
  { keys, entries, extra }: { keys: KeyNames; entries: readonly RejectedEntry[]; extra: ExtraCommands },
): Promise<Retried> {
  const refused: { id: string; why: string }[] = [];
  const byKeys = new Map<string, { first: RejectedEntry; wanted: readonly PlacedKey[]; others: string[] }>();
  for (const entry of entries) {
    const wanted = keysToAskFor(entry, { extra, internalPrefix: keys.prefix });
    if (typeof wanted === 'string') {
      refused.push({ id: entry.id, why: wanted });
      await ask(client, keys, { first: entry, wanted: [], others: [] });
      continue;
    }
    const name = JSON.stringify(wanted.map(({ database, key }) => [database, key.toString('latin1')]));
    const known = byKeys.get(name);
    if (known) known.others.push(entry.id);
    else byKeys.set(name, { first: entry, wanted, others: [] });
  }
  const [asked, merged]: [string[], string[]] = [[], []];
  for (const group of byKeys.values()) {
    // Another person may have dropped it meanwhile.
    if ((await ask(client, keys, group)) === 0) continue;
    asked.push(group.first.id);
    merged.push(...group.others);
  }
  return { asked, merged, refused };
}

/** Takes entries off the list; gives how many were there. */
export async function dropRejected(client: Redis, keys: KeyNames, ids: readonly string[]): Promise<number> {
  let dropped = 0;
  for (let at = 0; at < ids.length; at += DROPPED_AT_ONCE) {
    const some = ids.slice(at, at + DROPPED_AT_ONCE);
    dropped += await answerOf(client, client.xdel(keys.rejected, ...some));
    await answerOf(client, client.hdel(keys.retries, ...some.flatMap((id) => [id, `${id}=`])));
  }
  return dropped;
}

/** The command of an entry; nothing where only its name, or a name of Tandem's own, is listed. */
export function commandOf(
  { command, database }: ListedEntry,
  extra?: ExtraCommands,
): PayloadCommand | undefined {
  if (command[0] !== ASTERISK) return undefined;
  const [first] = payloadCommands(command, { selected: database ?? 0, extra });
  return first;
}

const ASTERISK = 0x2a;

/** The keys whose state mends an entry, or why there are none. */
function keysToAskFor(
  entry: ListedEntry,
  { extra, internalPrefix }: { extra: ExtraCommands; internalPrefix: string },
): readonly PlacedKey[] | string {
  const { database, key } = entry;
  if (database === undefined) return 'its database is not known';
  const command = commandOf(entry, extra);
  if (command === undefined) {
    const name = entry.command.toString('latin1').toUpperCase();
    const isOfOneKey = isOfKeys(name) || (commandSpec(name) ?? extra.get(name))?.singleKey;
    return isOfOneKey === true && key.length > 0 ? [{ database, key }] : 'its keys are not known';
  }
  if (command.spec === undefined && command.name !== STATE)
    return 'neither this server nor this version of Tandem knows the command';
  const wanted = keysOf(command, 'written').filter(
    (one) => one.key !== undefined && !one.key.toString('latin1').startsWith(internalPrefix),
  );
  return wanted.length > 0 ? wanted : 'it names no key';
}

async function ask(
  client: Redis,
  keys: KeyNames,
  {
    first,
    wanted,
    others,
  }: { first: RejectedEntry; wanted: readonly PlacedKey[]; others: readonly string[] },
): Promise<number> {
  const places = wanted.flatMap(({ database, key }) => [database, key]);
  return Number(
    await runScript(
      client,
      'retry-rejected',
      [keys.rejected, keys.retries, keys.out, keys.state, keys.applied, keys.received],
      [RETRIES_MS, first.id, wanted.length, ...places, ...others],
    ),
  );
}

type StreamEntry = [id: Buffer, fields: Buffer[]];

function entryOf([idBytes, fields]: StreamEntry): ListedEntry {
  const field = (name: string): Buffer => {
    const at = fields.findIndex((one, index) => index % 2 === 0 && one.toString('latin1') === name);
    return (at < 0 ? undefined : fields[at + 1]) ?? Buffer.alloc(0);
  };
  const id = idBytes.toString('latin1');
  const database = field('database').toString('latin1');
  return {
    id,
    at: Number(id.split('-')[0]),
    sequence: Number(field('sequence').toString('latin1')),
    database: /^\d{1,9}$/.test(database) ? Number(database) : undefined,
    command: field('command'),
    key: field('key'),
    error: field('error'),
  };
}

async function withTries(
  client: Redis,
  keys: KeyNames,
  entries: readonly ListedEntry[],
): Promise<RejectedEntry[]> {
  if (entries.length === 0) return [];
  const tries = await answerOf(client, client.hmget(keys.retries, ...entries.map(({ id }) => id)));
  return entries.map((entry, at) => ({ ...entry, tries: Number(tries[at] ?? 0) }));
}
