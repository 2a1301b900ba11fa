/** What a site's own keys in Redis say when a process begins to work there. */

import type { Redis } from 'ioredis';
import { serverCommands } from './capture/server-commands.js';
import type { ServerCommands } from './change/command-names.js';
import type { Position } from './change/position.js';
import type { Config } from './config.js';
import { runScript } from './lua/scripts.js';
import { answerOf } from './redis/connect.js';
import { allKeys, type KeyNames } from './redis/keys.js';
import { VERSION } from './version.js';

export interface OpenedState {
  readonly epoch: number;
  /** Sequence of the next change. */
  readonly next: number;
  /** Bytes in the change list. */
  readonly bytes: number;
  /** Where capture goes on; undefined when this site never worked before. */
  readonly position: Position | undefined;
  readonly applied: { readonly epoch: number; readonly sequence: number };
  /** Whether a run failed in part and its failures are not listed yet. */
  readonly isSuspect: boolean;
  /** The highest timestamp used or received. */
  readonly clock: number;
  /** Databases of the server. */
  readonly databases: number;
  /** What commands the server has. */
  readonly commands: ServerCommands;
}

/** What a process remembers of its site, in case Redis forgets. */
export interface Memory {
  readonly epoch: number;
  readonly next: number;
  readonly position: Position | undefined;
  readonly applied: { readonly epoch: number; readonly sequence: number };
  readonly clock: number;
}

export const NO_MEMORY: Memory = {
  epoch: 0,
  next: 1,
  position: undefined,
  applied: { epoch: 0, sequence: 0 },
  clock: 0,
};

/** Databases assumed when the server does not tell: Redis' default. */
const DEFAULT_DATABASES = 16;

/** Finds the own keys (in database 0, or where SWAPDB took them), completes them, and reads them. @throws TandemError FENCED … */
export async function openState({
  local,
  keys,
  token,
  config,
  memory,
}: {
  local: Redis;
  keys: KeyNames;
  token: number;
  config: Config;
  memory: Memory;
}): Promise<OpenedState> {
  const { position, applied } = memory;
  const reply = await runScript(
    local,
    'open',
    [keys.state, keys.received, keys.applied, keys.fence, keys.site],
    [
      token,
      `${config.pair}/${config.peer}`,
      config.inboxBytes,
      config.pair,
      config.site,
      VERSION,
      Date.now(),
      memory.epoch,
      memory.next,
      applied.epoch,
      applied.sequence,
      position?.replid ?? '',
      position?.offset ?? 0,
      position?.database ?? 0,
      position?.seenEpoch ?? 0,
      position?.seen ?? 0,
      memory.clock,
    ],
  );
  const [state, , appliedFields] = (reply as [string[], string[], string[]]).map(fields) as [
    Fields,
    Fields,
    Fields,
  ];
  return {
    epoch: number(state, 'epoch'),
    next: number(state, 'next'),
    bytes: number(state, 'bytes'),
    position: positionOf(state),
    applied: { epoch: number(appliedFields, 'epoch'), sequence: number(appliedFields, 'n') },
    isSuspect: appliedFields.has('suspect'),
    clock: Math.max(number(state, 'clock'), number(appliedFields, 'clock')),
    databases: await databasesOf(local),
    commands: await serverCommands(local),
  };
}

/** Begins a new epoch of this site: its history was cut. What is in the change list is from before the cut, and stays. */
export async function beginEpoch(options: {
  local: Redis;
  keys: KeyNames;
  token: number;
  epoch: number;
  next: number;
  position: Position | undefined;
  clock: number;
}): Promise<void> {
  const { local, keys, token, epoch, next, position, clock } = options;
  const { replid, offset, database, seenEpoch, seen } = position ?? {
    replid: '',
    offset: 0,
    database: 0,
    seenEpoch: 0,
    seen: 0,
  };
  await runScript(
    local,
    'epoch',
    [keys.state, keys.changes, keys.fence],
    [token, epoch, next, replid, offset, database, seenEpoch, seen, clock, 'keep'],
  );
}

/** Brings the own keys home when SWAPDB took them away while nobody worked here. */
export async function findOwnKeys(local: Redis, keys: KeyNames): Promise<void> {
  if ((await answerOf(local, local.exists(keys.state))) === 1) return;
  const databases = await databasesOf(local);
  for (let database = 1; database < databases; database++) {
    if (Number(await runScript(local, 'home', allKeys(keys), [database])) > 0) return;
  }
}

/** `CONFIG` may be forbidden or renamed: then the default is assumed. */
async function databasesOf(local: Redis): Promise<number> {
  const reply = await local.config('GET', 'databases').catch(() => []);
  return Number((reply as string[])[1] ?? DEFAULT_DATABASES);
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
