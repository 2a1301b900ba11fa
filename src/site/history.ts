/** The internal keys of a site, as a process finds them when it begins to work there. */

import { randomUUID } from 'node:crypto';
import type { Redis } from 'ioredis';
import { serverCommands } from '../redis/server-commands.js';
import type { ServerCommands } from '../redis-commands/command-names.js';
import type { Position } from '../protocol/position.js';
import type { Config } from '../config/config.js';
import { runScript } from '../lua/scripts.js';
import { DEFAULT_MAX_BULK_BYTES } from '../outbound/handshake.js';
import type { Heartbeat } from '../outbound/acknowledgements.js';
import { answerOf, refusalOf, whereOf } from '../redis/connect.js';
import { allKeys, type KeyNames } from '../redis/keys.js';
import { restorableVersions } from '../redis/restorable.js';
import { publishedCommands, publishedFilters } from '../preflight/published.js';
import { READS_PARTS } from '../protocol/messages/part.js';
import { READABLE } from '../protocol/packing.js';
import { VERSION } from '../version.js';

export interface OpenedState {
  readonly epoch: number;
  /** Sequence of the next change. */
  readonly next: number;
  /** The newest sequence that was given out: the next one follows it, or a new epoch has begun in between. */
  readonly last: number;
  /** The newest sequence that was taken off the change list. */
  readonly trimmed: number;
  /** Bytes in the change list. */
  readonly bytes: number;
  /** The peer's last heartbeat. */
  readonly heartbeat: Heartbeat;
  /** Where capture goes on; undefined when this site never worked before. */
  readonly position: Position | undefined;
  /** Whether it worked before, and the place where capture would go on is gone with the key it stood in. */
  readonly isForgotten: boolean;
  readonly applied: { readonly epoch: number; readonly sequence: number };
  /** The newest local sequence that places of lists were about; undefined: not known. */
  readonly noted: number | undefined;
  /** Keys with local `SET`s that were to be put back, as {@link OverwrittenSets.kept} has them. */
  readonly overwritten: string;
  /** Whether a run failed in part and its failures are not listed yet. */
  readonly isSuspect: boolean;
  /** The highest timestamp used or received. */
  readonly clock: number;
  /** Databases of the server. */
  readonly databases: number;
  /** Bytes that one argument of a command may have at this server. */
  readonly maxBulkBytes: number;
  /** Whether what this site held before the pair began has been sent to the peer. */
  readonly isCopied: boolean;
  /** The gap that is not repaired: whose values count, and a number, as `peer 1795222259609`. */
  readonly repair: string | undefined;
  /** The commands of the server. */
  readonly commands: ServerCommands;
  /** Which versions of a dump it takes, as {@link restorableVersions} tells it. */
  readonly restorable: string;
}

/** A process's memory of its site, in case Redis forgets. */
export interface Memory {
  readonly epoch: number;
  readonly next: number;
  readonly last: number;
  readonly trimmed: number;
  readonly bytes: number;
  readonly position: Position | undefined;
  /** How far the stream was read, if nothing that was read waited to be appended: at or behind the position. */
  readonly readThrough: Position | undefined;
  readonly applied: { readonly epoch: number; readonly sequence: number };
  /** The newest local sequence that places of lists were about; undefined: not known. */
  readonly noted: number | undefined;
  /** Keys with local `SET`s that are to be put back, as {@link OverwrittenSets.kept} has them. */
  readonly overwritten: string;
  readonly clock: number;
}

export const NO_MEMORY: Memory = {
  epoch: 0,
  next: 1,
  last: 0,
  trimmed: 0,
  bytes: 0,
  position: undefined,
  readThrough: undefined,
  applied: { epoch: 0, sequence: 0 },
  noted: undefined,
  overwritten: '0',
  clock: 0,
};

/**
 * Epochs that may begin in a second of the clock, and sequences that each has at least: a process needs longer than that to start,
 * and no site makes more changes.
 */
const EPOCHS_PER_SECOND = 16;
const SEQUENCES_PER_EPOCH = 2 ** 16;

/**
 * The epoch and the first sequence of a history that begins now. No sequence is used twice: it lies beyond all that can have been
 * given out, even by a history that this site's Redis has forgotten, and so sequences of all epochs can be compared.
 */
export function newHistory(
  { epoch, next }: { epoch: number; next: number },
  nowMs = Date.now(),
): { epoch: number; next: number } {
  const now = Math.floor((nowMs / 1000) * EPOCHS_PER_SECOND);
  const begun = Math.max(epoch + 1, now, Math.ceil(next / SEQUENCES_PER_EPOCH) + 1);
  return { epoch: begun, next: begun * SEQUENCES_PER_EPOCH };
}

/** Whether a gap has begun the present epoch, is not repaired, and no change is numbered in the epoch yet. */
export function isUnused({ epoch, next, repair }: Pick<OpenedState, 'epoch' | 'next' | 'repair'>): boolean {
  return repair !== undefined && next === epoch * SEQUENCES_PER_EPOCH;
}

/** What a server holds of a site before any internal key is made anew: the newest sequences made and applied, 0 where they are gone. */
export async function heldBy(
  local: Redis,
  keys: KeyNames,
): Promise<{ runId: string; last: number; applied: number }> {
  const info = await answerOf(local, local.info('server'));
  const last = await answerOf(local, local.hget(keys.state, 'last'));
  const applied = await answerOf(local, local.hget(keys.applied, 'n'));
  return {
    runId: /^run_id:(\w+)/m.exec(info)?.[1] ?? '',
    last: Number(last ?? 0),
    applied: Number(applied ?? 0),
  };
}

/** Databases looked for when the server does not tell how many it has: Redis' default. */
const DEFAULT_DATABASES = 16;
/** Bytes that a batch may have in any case: its lengths are read as 32 bits. */
const MAX_BATCH_BYTES = 2 ** 31 - 1;

interface Opening {
  readonly local: Redis;
  readonly keys: KeyNames;
  readonly token: number;
  readonly config: Config;
  readonly memory: Memory;
}

/** Finds the internal keys (in database 0, or where SWAPDB took them), completes them, and reads them. @throws TandemError FENCED … */
export async function openState({ local, keys, token, config, memory }: Opening): Promise<OpenedState> {
  const history = newHistory(memory);
  const maxBulkBytes = await maxBulkBytesOf(local);
  const commands = await serverCommands(local);
  const restorable = await restorableVersions(local, `${keys.prefix}restored`);
  const startedAt = Date.now();
  const published = {
    largest: maxBulkBytes,
    restores: restorable,
    filters: publishedFilters(config),
    commands: publishedCommands(commands),
    reads: [startedAt, ...READABLE, READS_PARTS].join(' '),
  };
  const reply = await runScript(
    local,
    'open-state',
    [keys.state, keys.received, keys.applied, keys.fence, keys.site, keys.inbox],
    [
      token,
      `${config.pair}/${config.peer}`,
      config.inboxBytes,
      config.pair,
      config.site,
      VERSION,
      startedAt,
      history.epoch,
      history.next,
      ...remembered(memory),
      randomUUID(),
      ...Object.entries(published).flat(),
    ],
  );
  const [state, received, appliedFields] = (reply as [string[], string[], string[]]).map(fields) as [
    Fields,
    Fields,
    Fields,
  ];
  return {
    epoch: number(state, 'epoch'),
    next: number(state, 'next'),
    last: number(state, 'last'),
    trimmed: number(state, 'trimmed'),
    bytes: number(state, 'bytes'),
    heartbeat: { sequence: number(received, 'beat'), seen: number(received, 'beatSeen') },
    position: positionOf(state),
    isForgotten: state.has('forgotten'),
    applied: { epoch: number(appliedFields, 'epoch'), sequence: number(appliedFields, 'n') },
    noted: state.has('noted') ? Math.max(number(state, 'noted'), number(appliedFields, 'noted')) : undefined,
    overwritten: state.get('overwritten') ?? '0',
    isSuspect: appliedFields.has('suspect'),
    clock: Math.max(number(state, 'clock'), number(appliedFields, 'clock')),
    isCopied: state.has('copied'),
    repair: state.get('repair'),
    databases: await databasesOf(local),
    maxBulkBytes,
    commands,
    restorable,
  };
}

/** What open-state.lua takes over where Redis has forgotten it. */
function remembered({ applied, position, clock, last, trimmed, bytes, noted }: Memory): (string | number)[] {
  const { replid = '', offset = 0, database = 0, seenEpoch = 0, seen = 0 } = position ?? {};
  return [
    applied.epoch,
    applied.sequence,
    replid,
    offset,
    database,
    seenEpoch,
    seen,
    clock,
    last,
    trimmed,
    bytes,
    noted ?? '',
  ];
}

export interface NewEpoch {
  readonly local: Redis;
  readonly keys: KeyNames;
  readonly token: number;
  /** The epoch and the next sequence as they are; those of the new epoch lie beyond. */
  readonly epoch: number;
  readonly next: number;
  /** The highest sequence the peer is known to have received. */
  readonly received?: number;
  /** Where capture goes on. */
  readonly position: Position;
  readonly clock: number;
  /** The newest sequence that stays. */
  readonly last: number;
  /** The batches that leave the end of the change list, because their changes are captured again. */
  readonly dropped?: { readonly batches: number; readonly bytes: number };
  /** Whether nothing of the stream was missed. */
  readonly isWhole?: boolean;
}

/** Begins a new epoch of this site, since its history cannot be continued. The changes in the list are from before it, and stay. */
export async function beginEpoch(options: NewEpoch): Promise<void> {
  const { local, keys, token, epoch, next, received = 0, position, clock, last } = options;
  const { batches, bytes } = options.dropped ?? { batches: 0, bytes: 0 };
  const { replid, offset, database, seenEpoch, seen } = position;
  const history = newHistory({ epoch, next: Math.max(next, received + 1) });
  await runScript(
    local,
    'begin-epoch',
    [keys.state, keys.changes, keys.fence],
    [
      token,
      next,
      history.epoch,
      history.next,
      replid,
      offset,
      database,
      seenEpoch,
      seen,
      clock,
      last,
      batches,
      bytes,
      options.isWhole === true ? 1 : 0,
    ],
  );
}

/** Finds the internal keys in whatever database SWAPDB took them to, and brings them home. @throws TandemError FENCED */
export async function bringInternalKeysHome(local: Redis, keys: KeyNames, token: number): Promise<void> {
  if ((await answerOf(local, local.exists(keys.state))) === 1) return;
  const databases = await databasesOf(local);
  for (let database = 1; database < databases; database++) {
    if ((await bringHome(local, keys, { token, database })) > 0) return;
  }
}

/** Whether the internal keys are there after a database was emptied or swapped; those that only moved are brought home. */
export async function hasInternalKeys(options: {
  local: Redis;
  keys: KeyNames;
  token: number;
  event: 'flush' | 'swap';
  databases: readonly number[];
}): Promise<boolean> {
  const { local, keys, token, event, databases } = options;
  const database = event === 'swap' ? databases.find((one) => one !== 0) : undefined;
  if (database !== undefined) await bringHome(local, keys, { token, database });
  return (await answerOf(local, local.exists(keys.state))) === 1;
}

/** Brings the internal keys back from a database, if they are there; gives how many. @throws TandemError FENCED */
async function bringHome(
  local: Redis,
  keys: KeyNames,
  { token, database }: { token: number; database: number },
): Promise<number> {
  const others = allKeys(keys).filter((key) => key !== keys.fence && key !== keys.lease);
  return Number(
    await runScript(local, 'bring-keys-home', [keys.fence, keys.lease, ...others], [token, database]),
  );
}

async function databasesOf(local: Redis): Promise<number> {
  const told = await settingOf(local, 'databases', 0);
  return told > 0 ? told : selectableDatabases(local);
}

/** As many as can be selected, in one transaction that ends in the first: of a server that does not say how many it has. */
async function selectableDatabases(local: Redis): Promise<number> {
  const numbers = Array.from({ length: DEFAULT_DATABASES }, (_, at) => DEFAULT_DATABASES - 1 - at);
  const calls = [['multi'], ...numbers.map((database) => ['select', database]), ['exec']];
  const replies = (await local.pipeline(calls.map((call) => ['call', ...call])).exec()) ?? [];
  const [error, selected] = replies.at(-1) ?? [null, []];
  if (error) throw refusalOf(error, whereOf(local));
  return (selected as unknown[]).filter((one) => !(one instanceof Error)).length;
}

async function maxBulkBytesOf(local: Redis): Promise<number> {
  return Math.min(MAX_BATCH_BYTES, await settingOf(local, 'proto-max-bulk-len', DEFAULT_MAX_BULK_BYTES));
}

/** `CONFIG` may be forbidden or renamed: then the default is assumed. */
async function settingOf(local: Redis, name: string, otherwise: number): Promise<number> {
  const reply = await local.config('GET', name).catch(() => []);
  return Number((reply as string[])[1] ?? otherwise);
}

type Fields = ReadonlyMap<string, string>;

function fields(flat: readonly string[]): Fields {
  const map = new Map<string, string>();
  for (let i = 0; i + 1 < flat.length; i += 2) map.set(flat[i]!, flat[i + 1]!);
  return map;
}

function number(from: Fields, name: string): number {
  return Number(from.get(name) ?? 0);
}

function positionOf(state: Fields): Position | undefined {
  const replid = state.get('replid');
  if (replid === undefined || replid === '') return undefined;
  return {
    replid,
    offset: number(state, 'offset'),
    database: number(state, 'database'),
    seen: number(state, 'seen'),
    seenEpoch: number(state, 'seenEpoch'),
  };
}
