import type { Redis } from 'ioredis';
import { registersOf } from './hyperloglog.js';

/** What is read, and what is left out. */
export interface DatasetOptions {
  /** Keys that start with one of these are not data. Default: Tandem's own and the tests' sentinels. */
  without?: string[];
  /** Include the libraries of FUNCTION LIST, as entries of a database called `functions`. */
  functions?: boolean;
}

/** One key: its logical value as text in which every byte is visible, and when it ends. */
export interface Entry {
  type: string;
  /** One line per element, field, member or stream entry, in an order that depends on the value alone. */
  lines: string[];
  /** Unix time in ms, or undefined for a key that stays. Servers before 7.0 tell it only to within `EXPIRY_TOLERANCE_MS`. */
  expiresAt: number | undefined;
}

/** Entries by `<database>:<key>`, bytes outside printable ASCII escaped. */
export type Dataset = Map<string, Entry>;

/** Before PEXPIRETIME, the time is TIME plus PTTL, and a moment passes between the two. */
export const EXPIRY_TOLERANCE_MS = 3;

/** The prefix of the keys by which `quiet` recognizes that everything before them has crossed. */
export const SENTINEL_PREFIX = 'tandem-test:sentinel:';

const CHUNK_KEYS = 256;
const OWN_PREFIXES = ['tandem:{', SENTINEL_PREFIX];

type Reply = Buffer | number | null | Reply[];

/** Reads all databases of a server, over a connection of its own made like `client`'s. */
export async function dataset(client: Redis, options: DatasetOptions = {}): Promise<Dataset> {
  const reader = client.duplicate();
  reader.on('error', () => undefined);
  try {
    return await readAll(reader, options);
  } finally {
    reader.disconnect();
  }
}

async function readAll(reader: Redis, options: DatasetOptions): Promise<Dataset> {
  const entries: Dataset = new Map();
  const abilities = await abilitiesOf(reader);
  for (const database of await databases(reader)) {
    await reader.select(database);
    for await (const keys of scan(reader, options.without ?? OWN_PREFIXES)) {
      const read = await readEntries(reader, keys, abilities);
      read.forEach((entry, i) => entry && entries.set(`${database}:${visible(keys[i] ?? '')}`, entry));
    }
  }
  if (options.functions)
    for (const [name, entry] of await functions(reader)) entries.set(`functions:${name}`, entry);
  return entries;
}

/** INFO names the databases that have keys. */
async function databases(reader: Redis): Promise<number[]> {
  const info = await reader.info('keyspace');
  return [...info.matchAll(/^db(\d+):/gm)].map(([, number]) => Number(number));
}

async function* scan(reader: Redis, without: string[]): AsyncGenerator<Buffer[]> {
  // SCAN may return a key twice.
  const seen = new Set<string>();
  let cursor = '0';
  do {
    const [next, keys] = await reader.scanBuffer(cursor, 'COUNT', CHUNK_KEYS);
    cursor = next.toString();
    const fresh = keys.filter((key) => {
      const text = key.toString('latin1');
      const wanted = !seen.has(text) && !without.some((prefix) => text.startsWith(prefix));
      seen.add(text);
      return wanted;
    });
    if (fresh.length > 0) yield fresh;
  } while (cursor !== '0');
}

/** What this server can be asked: Redis 7.0 and later, and for expiring hash fields Redis 7.4 and Valkey 9. */
interface Abilities {
  expiretime: boolean;
  fieldExpiry: boolean;
}

async function abilitiesOf(reader: Redis): Promise<Abilities> {
  const known = (await reader.call('COMMAND', 'INFO', 'PEXPIRETIME', 'HPEXPIRETIME')) as unknown[];
  return { expiretime: hasCommand(known[0]), fieldExpiry: hasCommand(known[1]) };
}

function hasCommand(info: unknown): boolean {
  return Array.isArray(info) && info.length > 0;
}

/** Undefined for keys that are gone (expired) meanwhile. */
async function readEntries(
  reader: Redis,
  keys: Buffer[],
  abilities: Abilities,
): Promise<(Entry | undefined)[]> {
  const types = (
    await run(
      reader,
      keys.map((key) => ['TYPE', key]),
    )
  ).map(String);
  const ends = await expiries(reader, keys, abilities);
  const values = await run(
    reader,
    keys.map((key, i) => valueCommand(types[i] ?? 'none', key)),
  );
  return Promise.all(
    keys.map(async (key, i) => {
      const type = types[i] ?? 'none';
      if (type === 'none') return undefined;
      const lines = type === 'vectorset' ? await vectorLines(reader, key) : linesOf(type, values[i] ?? null);
      if (type === 'hash' && abilities.fieldExpiry) lines.push(...(await fieldExpiries(reader, key)));
      return { type, lines, expiresAt: ends[i] };
    }),
  );
}

function valueCommand(type: string, key: Buffer): (string | Buffer)[] {
  switch (type) {
    case 'string':
      return ['GET', key];
    case 'list':
      return ['LRANGE', key, '0', '-1'];
    case 'set':
      return ['SMEMBERS', key];
    case 'hash':
      return ['HGETALL', key];
    case 'zset':
      return ['ZRANGE', key, '0', '-1', 'WITHSCORES'];
    case 'stream':
      return ['XINFO', 'STREAM', key, 'FULL', 'COUNT', '0'];
    case 'vectorset':
      return ['VCARD', key];
    default:
      return ['DUMP', key];
  }
}

function linesOf(type: string, value: Reply): string[] {
  if (type === 'stream') return streamLines(value as Reply[]);
  if (!Array.isArray(value)) return stringLines(value);
  const items = value.map((item) => visible(item as Buffer));
  switch (type) {
    case 'list':
      return items;
    case 'set':
      return items.toSorted();
    default:
      return pairs(items)
        .map(([name, second]) => `${name} = ${second}`)
        .toSorted();
  }
}

function stringLines(value: Reply): string[] {
  if (!Buffer.isBuffer(value)) return [String(value)];
  const registers = registersOf(value);
  if (!registers) return [visible(value)];
  const set = [...registers.entries()].filter(([, count]) => count > 0);
  return ['HyperLogLog', ...set.map(([register, count]) => `register ${register} = ${count}`)];
}

/** Elements with their vectors and attributes. The links between them are made anew at each server, at random. */
async function vectorLines(reader: Redis, key: Buffer): Promise<string[]> {
  const [count] = await run(reader, [['VCARD', key]]);
  const [elements] = (await run(reader, [['VRANDMEMBER', key, String(count)]])) as [Buffer[]];
  const parts = await run(
    reader,
    elements.flatMap((element) => [
      ['VEMB', key, element, 'RAW'],
      ['VGETATTR', key, element],
    ]),
  );
  const texts = parts.map((part) => (Array.isArray(part) ? part.map(shown).join(' ') : shown(part)));
  return elements
    .map((element, i) => `${visible(element)} = ${texts[2 * i]}, attributes ${texts[2 * i + 1]}`)
    .toSorted();
}

function shown(reply: Reply): string {
  return Buffer.isBuffer(reply) ? visible(reply) : String(reply);
}

/** Entries, last ID, groups with their last delivered ID, and what is pending: entry, consumer, time and count of delivery. */
function streamLines(info: Reply[]): string[] {
  const stream = record(info);
  const entries = (stream.get('entries') as Reply[]).map((entry) => {
    const [id, fields] = entry as [Buffer, Buffer[]];
    return `${String(id)} ${fields.map(visible).join(' ')}`;
  });
  const groups = (stream.get('groups') as Reply[]).flatMap((group) => groupLines(record(group as Reply[])));
  return [...entries, `last ID ${String(stream.get('last-generated-id'))}`, ...groups.toSorted()];
}

function groupLines(group: Map<string, Reply>): string[] {
  const name = `group ${visible(group.get('name') as Buffer)}`;
  const pending = (group.get('pel') ?? group.get('pending')) as Reply[];
  return [
    `${name} last delivered ${String(group.get('last-delivered-id'))}`,
    ...pending.map((item) => {
      const [id, consumer, time, count] = item as [Buffer, Buffer, number, number];
      return `${name} pending ${String(id)} at ${visible(consumer)} delivered ${count} times, last ${time}`;
    }),
  ];
}

async function expiries(
  reader: Redis,
  keys: Buffer[],
  { expiretime }: Abilities,
): Promise<(number | undefined)[]> {
  if (expiretime)
    return (
      await run(
        reader,
        keys.map((key) => ['PEXPIRETIME', key]),
      )
    ).map(pointInTime);
  const replies = await run(
    reader,
    keys.flatMap((key) => [['TIME'], ['PTTL', key]]),
  );
  return keys.map((_, i) => {
    const [seconds, microseconds] = replies[2 * i] as [Buffer, Buffer];
    const left = Number(replies[2 * i + 1]);
    if (left < 0) return undefined;
    return Number(seconds) * 1000 + Math.floor(Number(microseconds) / 1000) + left;
  });
}

async function fieldExpiries(reader: Redis, key: Buffer): Promise<string[]> {
  const fields = (await reader.hkeysBuffer(key)).toSorted((a, b) => a.compare(b));
  if (fields.length === 0) return [];
  const command = ['HPEXPIRETIME', key, 'FIELDS', String(fields.length), ...fields];
  const [ends] = (await run(reader, [command])) as [Reply[] | null];
  return fields
    .map((field, i) => [visible(field), pointInTime(ends?.[i] ?? -1)] as const)
    .filter(([, end]) => end !== undefined)
    .map(([field, end]) => `${field} ends at ${end}`);
}

function pointInTime(reply: Reply): number | undefined {
  return Number(reply) < 0 ? undefined : Number(reply);
}

async function functions(reader: Redis): Promise<[string, Entry][]> {
  const [libraries] = (await run(reader, [['FUNCTION', 'LIST', 'WITHCODE']])) as [Reply[]];
  return libraries.map((library) => {
    const fields = record(library as Reply[]);
    const lines = [visible(fields.get('library_code') as Buffer)];
    return [visible(fields.get('library_name') as Buffer), { type: 'library', lines, expiresAt: undefined }];
  });
}

/** Sends commands in one pipeline; replies are bytes. The first error is thrown. */
async function run(reader: Redis, commands: (string | Buffer)[][]): Promise<Reply[]> {
  const pipeline = reader.pipeline();
  for (const [name, ...args] of commands) pipeline.callBuffer(String(name), ...args);
  const results = (await pipeline.exec()) ?? [];
  return results.map(([error, reply]) => {
    if (error) throw error;
    return reply as Reply;
  });
}

function record(flat: Reply[]): Map<string, Reply> {
  return new Map(pairs(flat).map(([name, value]) => [String(name), value]));
}

function pairs<T>(flat: T[]): [T, T][] {
  const result: [T, T][] = [];
  for (let i = 0; i + 1 < flat.length; i += 2) result.push([flat[i] as T, flat[i + 1] as T]);
  return result;
}

/** Printable ASCII as it is, every other byte and the backslash as \xNN: equal texts mean equal bytes. */
function visible(value: Buffer | string): string {
  const text = typeof value === 'string' ? value : value.toString('latin1');
  return text.replace(
    /[^\x20-\x5b\x5d-\x7e]/g,
    (char) => `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`,
  );
}
