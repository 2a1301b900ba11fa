import type { Redis, RedisOptions } from 'ioredis';
import { backoffDelayMs } from '../async/backoff.js';
import type { TlsConfig } from '../config/config.js';
import { hostAndPort, type RedisAddress } from '../config/redis-url.js';
import { isSentinelTarget, parseTarget, primaryCalled } from '../config/sentinel-url.js';
import { TandemError } from '../errors.js';
import type { Logger } from '../log/log.js';
import { listenForFirstWords, turnedAway } from './first-words.js';
import { RedisClient } from './ioredis.js';
import { refusalOf } from './refusal.js';
import { isSame, PrimaryConnector } from './sentinel.js';
import { tlsOptions } from './tls-options.js';

export { refusalOf } from './refusal.js';
export type { Redis } from 'ioredis';

export interface ClientOptions {
  url: string;
  tls: TlsConfig;
  /** Shown in the server's CLIENT LIST: `tandem:east:courier`. */
  name: string;
  log: Logger;
  connectTimeoutMs: number;
  commandTimeoutMs: number;
  /** First and longest pause before a lost connection is tried again. */
  backoffMinMs?: number;
  backoffMaxMs?: number;
}

const BACKOFF_MIN_MS = 50;
const BACKOFF_MAX_MS = 5000;

/** A socket that has not closed this long after `disconnect` is destroyed. */
const DISCONNECT_TIMEOUT_MS = 200;

/** A signal that never aborts. */
const NEVER = new AbortController().signal;

/** The last thing that went wrong with each client, for `connectClient`: ioredis rejects with "Connection is closed". */
const lastErrors = new WeakMap<Redis, Error>();

/**
 * A client that is not connected yet (see `connectClient`) and connects again by itself with jittered back-off.
 * It never sends a command twice and never keeps one for later: without a connection a command fails at once, and
 * when the connection breaks all that wait for an answer fail, whether or not the server ran them.
 * With a `sentinel:` URL the Sentinels are asked at every connection.
 * Replies are RESP2: maps are flat arrays.
 */
export function openClient(options: ClientOptions): Redis {
  const { name, log, connectTimeoutMs, commandTimeoutMs } = options;
  const { backoffMinMs = BACKOFF_MIN_MS, backoffMaxMs = BACKOFF_MAX_MS } = options;
  const client = new RedisClient({
    ...serverOptions(options),
    protocol: 2,
    connectionName: name,
    lazyConnect: true,
    disableClientInfo: true,
    // The check is an INFO whose refusal ioredis prints on the console; who loads answers LOADING anyway.
    enableReadyCheck: false,
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    // A subscription that is refused would be an uncaught error.
    autoResubscribe: false,
    // Only with 0 do commands without an answer fail at the disconnect; else they would hang for ever.
    maxRetriesPerRequest: 0,
    // `disconnect` sets a timer of this length that nothing clears when the socket is closed already.
    disconnectTimeout: DISCONNECT_TIMEOUT_MS,
    connectTimeout: connectTimeoutMs,
    commandTimeout: commandTimeoutMs,
    retryStrategy: (attempt) => backoffDelayMs({ attempt, minMs: backoffMinMs, maxMs: backoffMaxMs }),
  });
  listenForFirstWords(client, () => whereOf(client));
  client.on('error', (error: Error) => {
    lastErrors.set(client, error);
    log.debug({ err: refusalOf(error, whereOf(client)), client: name }, 'a Redis connection failed');
  });
  client.on('ready', () => {
    lastErrors.delete(client);
    log.debug({ where: whereOf(client), client: name }, 'a Redis connection stands');
  });
  return client;
}

/** Where a client's server is: in the URL, or for the Sentinels to say at each connection. */
function serverOptions({ url, tls, connectTimeoutMs }: ClientOptions): RedisOptions {
  const target = parseTarget(url);
  const { username, password } = target;
  const account = {
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
  };
  if (!isSentinelTarget(target)) {
    const { host, port } = target;
    return { ...account, host, port, ...(target.tls ? { tls: tlsOptions(tls, host) } : {}) };
  }
  const asking = { target, tls, connectTimeoutMs, disconnectTimeoutMs: DISCONNECT_TIMEOUT_MS };
  // ioredis makes the connector itself, one for each client, and wants to know whether to wait for a secure connection.
  const Connector = class extends PrimaryConnector {
    constructor() {
      super(asking);
    }
  };
  return { ...account, Connector, ...(target.tls ? { tls: {} } : {}) };
}

/** Asks the Sentinels for a client; undefined for a client of one server. */
export function connectorOf(client: Redis): PrimaryConnector | undefined {
  const { connector } = client as unknown as { readonly connector: unknown };
  return connector instanceof PrimaryConnector ? connector : undefined;
}

/**
 * Waits until the client can take commands and the server answers a PING. Tries once: rejects with the classified
 * reason (UNREACHABLE, AUTH_FAILED, SERVER_BUSY …) of the first attempt that fails, while the client goes on trying;
 * call again to wait for the next attempt. Rejects with CLOSED when the signal aborts.
 * A client that asks Sentinels is then connected to the server they name now, which says that it is a primary.
 */
export async function connectClient(client: Redis, signal?: AbortSignal): Promise<void> {
  const connector = connectorOf(client);
  if (client.status !== 'ready') await nextAttempt(client, signal);
  else if (connector && !isSame(await connector.find(signal ?? NEVER), connector.address)) {
    client.disconnect(true);
    await nextAttempt(client, signal);
  }
  try {
    // A server that wants a password, or is loading, accepts the connection and says so at the first command.
    await client.ping();
    if (connector) requirePrimary(await client.info('replication'), whereOf(client));
  } catch (error) {
    const reason = refusalOf(turnedAway(client) ?? error, whereOf(client));
    // The next connection asks the Sentinels again.
    if (connector && reason.code === 'SERVER_BUSY') client.disconnect(true);
    throw reason;
  }
}

/** @throws TandemError SERVER_BUSY when a server that the Sentinels name does not say that it is a primary */
export function requirePrimary(info: string, where: string): void {
  if (/^role:master\r?$/m.test(info)) return;
  throw new TandemError('SERVER_BUSY', `${where}, which the Sentinels name, is not a primary, or not yet`, {
    hint: 'It is tried again. If it stays so, look at the Sentinels: `SENTINEL MASTERS`.',
  });
}

/** The server a client is connected to, or was last. @throws TandemError UNREACHABLE when the Sentinels have named none yet */
export function addressOf(client: Redis): RedisAddress {
  const connector = connectorOf(client);
  const { host, port, username, password, tls } = client.options;
  const address = connector
    ? connector.address
    : {
        host: host ?? '',
        port: port ?? 0,
        ...(username == null ? {} : { username }),
        ...(password == null ? {} : { password }),
        tls: tls !== undefined,
      };
  if (!address) throw new TandemError('UNREACHABLE', `no server is known yet for ${whereOf(client)}`);
  return address;
}

/** Whether the client asks Sentinels. */
export function asksSentinels(client: Redis): boolean {
  return connectorOf(client) !== undefined;
}

/** The connection a client has now, to be compared with what it had: another one may lead to another server. Nothing: it has none. */
export function connectionOf(client: Redis): object | undefined {
  return client.status === 'ready' ? client.stream : undefined;
}

/** The last thing that went wrong with a client that is not connected. */
export function lastErrorOf(client: Redis): Error | undefined {
  return turnedAway(client) ?? lastErrors.get(client);
}

/** `host:port` of a client, for messages. */
export function whereOf(client: Redis): string {
  const connector = connectorOf(client);
  if (connector) return connector.address ? hostAndPort(connector.address) : primaryCalled(connector.target);
  const { host = '', port = 0 } = client.options;
  return hostAndPort({ host, port });
}

/** The server's answer; a lost connection or an error reply becomes an error of Tandem. @throws TandemError */
export async function answerOf<T>(client: Redis, asked: Promise<T>): Promise<T> {
  try {
    return await asked;
  } catch (error) {
    throw refusalOf(error, whereOf(client));
  }
}

async function nextAttempt(client: Redis, signal?: AbortSignal): Promise<void> {
  const where = whereOf(client);
  if (signal?.aborted === true) throw stoppedAt(where);
  let onReady = (): void => {};
  let onClose = (): void => {};
  let onAbort = (): void => {};
  try {
    await new Promise<void>((resolve, reject) => {
      onReady = resolve;
      onClose = () => reject(refusalOf(lastErrorOf(client) ?? new Error('Connection is closed'), where));
      onAbort = () => reject(stoppedAt(where));
      client.on('ready', onReady);
      client.on('close', onClose);
      signal?.addEventListener('abort', onAbort, { once: true });
      if (client.status === 'wait' || client.status === 'end')
        // A socket that cannot even be made is told of in no event.
        client.connect().catch((error: unknown) => reject(refusalOf(lastErrors.get(client) ?? error, where)));
    });
  } finally {
    client.off('ready', onReady);
    client.off('close', onClose);
    signal?.removeEventListener('abort', onAbort);
  }
}

/** @param where the server that was being connected to */
export function stoppedAt(where: string): TandemError {
  return new TandemError('CLOSED', `stopped while connecting to ${where}`);
}
