import { TandemError } from '../errors.js';
import type { Redis } from './connect.js';
import { refusalOf, whereOf } from './connect.js';
import { memoryOf, type ServerMemory } from './server-memory.js';

/** A server's account of itself, as far as Tandem uses it. Null: it does not say. */
export interface ServerFacts {
  /** host:port */
  where: string;
  product: 'Redis' | 'Valkey';
  /** Of the product: 8.1.1 for a Valkey that answers as Redis 7.2.4. */
  version: string | null;
  /** The version of Redis whose behaviour it has. */
  redisVersion: string | null;
  runId: string | null;
  /** The name of the history of its data; a replica has its primary's. */
  replid: string | null;
  /** `master` or `slave`, as INFO has it. */
  role: string;
  /** host:port of the primary, for a replica. */
  primary: string | null;
  clusterEnabled: boolean;
  evictionPolicy: string | null;
  backlogBytes: number | null;
  /** Null: it does not tell. */
  memory: ServerMemory | null;
  /** How much of the backlog stands in that memory already. */
  backlogHeldBytes: number;
  /** The path of its configuration file; empty where it was started without one. Null: it does not say. */
  configFile: string | null;
  /** Whether it writes an append-only file. */
  isAofOn: boolean | null;
  /** Null without the right to CONFIG GET, and where it was not asked for. */
  replicaOutputLimit: OutputLimit | null;
  /** The server's clock minus this machine's, give or take half a round trip. */
  clockOffsetMs: number;
}

/** Zero means unlimited. */
export interface OutputLimit {
  hardBytes: number;
  softBytes: number;
  softSeconds: number;
}

/**
 * Asks a connected server; about its settings only if `settings`, since an account that may not ask leaves a trace in
 * the server's ACL LOG. Throws the classified refusal (NO_PERMISSION without the right to INFO or TIME …).
 */
export async function readFacts(client: Redis, { settings }: { settings: boolean }): Promise<ServerFacts> {
  const where = whereOf(client);
  try {
    const info = parseInfo(await client.info());
    if (modeOf(info) === 'sentinel') throw isSentinel(where);
    return factsOf(
      where,
      info,
      settings ? await readOutputLimit(client) : null,
      await readClockOffset(client),
    );
  } catch (error) {
    throw refusalOf(error, where);
  }
}

/** Redis says `redis_mode`, Valkey `server_mode`. */
function modeOf(info: Map<string, string>): string | undefined {
  return info.get('redis_mode') ?? info.get('server_mode');
}

function isSentinel(where: string): TandemError {
  return new TandemError('UNSUPPORTED_MODE', `${where} is a Sentinel, not a server with data`, {
    hint: `Use sentinel://, with the name the Sentinels know the primary by: sentinel://${where}/mymaster.`,
  });
}

/** The lines `name:value` of INFO. */
export function parseInfo(text: string): Map<string, string> {
  const lines = text.split('\r\n').filter((line) => line !== '' && !line.startsWith('#'));
  return new Map(
    lines.map((line) => {
      const colon = line.indexOf(':');
      return [line.slice(0, colon), line.slice(colon + 1)];
    }),
  );
}

function factsOf(
  where: string,
  info: Map<string, string>,
  replicaOutputLimit: OutputLimit | null,
  clockOffsetMs: number,
): ServerFacts {
  const host = info.get('master_host');
  const backlog = info.get('repl_backlog_size');
  const aof = info.get('aof_enabled');
  return {
    where,
    product: info.has('valkey_version') ? 'Valkey' : 'Redis',
    version: info.get('valkey_version') ?? info.get('redis_version') ?? null,
    redisVersion: info.get('redis_version') ?? null,
    runId: info.get('run_id') ?? null,
    replid: info.get('master_replid') ?? null,
    role: info.get('role') ?? 'unknown',
    primary: host === undefined ? null : `${host}:${info.get('master_port') ?? ''}`,
    clusterEnabled: info.get('cluster_enabled') === '1' || modeOf(info) === 'cluster',
    evictionPolicy: info.get('maxmemory_policy') ?? null,
    backlogBytes: backlog === undefined ? null : Number(backlog),
    memory: memoryOf(info) ?? null,
    backlogHeldBytes: Number(info.get('mem_replication_backlog') ?? 0),
    configFile: info.get('config_file') ?? null,
    isAofOn: aof === undefined ? null : aof === '1',
    replicaOutputLimit,
    clockOffsetMs,
  };
}

async function readOutputLimit(client: Redis): Promise<OutputLimit | null> {
  try {
    const reply: unknown = await client.config('GET', 'client-output-buffer-limit');
    return Array.isArray(reply) ? parseOutputLimit(String(reply[1])) : null;
  } catch (error) {
    if (refusalOf(error, '').code === 'UNREACHABLE') throw error;
    return null;
  }
}

/** The part for replicas of `normal 0 0 0 slave 268435456 67108864 60 pubsub …`. */
export function parseOutputLimit(setting: string): OutputLimit | null {
  const match = /(?:slave|replica) (\d+) (\d+) (\d+)/.exec(setting);
  if (match === null) return null;
  return { hardBytes: Number(match[1]), softBytes: Number(match[2]), softSeconds: Number(match[3]) };
}

async function readClockOffset(client: Redis): Promise<number> {
  const askedAt = performance.timeOrigin + performance.now();
  const [seconds, microseconds] = await client.time();
  const answeredAt = performance.timeOrigin + performance.now();
  return Number(seconds) * 1000 + Number(microseconds) / 1000 - (askedAt + answeredAt) / 2;
}
