import { readFileSync } from 'node:fs';
import type { ConnectionOptions } from 'node:tls';
import { Redis } from 'ioredis';
import type { TlsConfig } from '../config.js';
import { hostAndPort, parseRedisUrl } from '../config/redis-url.js';
import { TandemError } from '../errors.js';
import type { Logger } from '../log.js';
import { refusalOf } from './refusal.js';

export { hostAndPort, parseRedisUrl } from '../config/redis-url.js';
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

/** Beyond this number of doublings every pause is the longest one; the bound keeps the power finite. */
const MAX_DOUBLINGS = 20;

/** The last thing that went wrong with each client, for `connectClient`: ioredis rejects with "Connection is closed". */
const lastErrors = new WeakMap<Redis, Error>();

/**
 * A client that is not connected yet (see `connectClient`) and connects again by itself with jittered back-off.
 * It never sends a command twice and never keeps one for later: without a connection a command fails at once, and
 * when the connection breaks all that wait for an answer fail, whether or not the server ran them.
 * Replies are RESP2: maps are flat arrays.
 */
export function openClient(options: ClientOptions): Redis {
  const { url, tls, name, log, connectTimeoutMs, commandTimeoutMs } = options;
  const { backoffMinMs = BACKOFF_MIN_MS, backoffMaxMs = BACKOFF_MAX_MS } = options;
  const address = parseRedisUrl(url);
  const where = hostAndPort(address);
  const client = new Redis({
    host: address.host,
    port: address.port,
    ...(address.username === undefined ? {} : { username: address.username }),
    ...(address.password === undefined ? {} : { password: address.password }),
    ...(address.tls ? { tls: tlsOptions(tls, address.host) } : {}),
    protocol: 2,
    connectionName: name,
    lazyConnect: true,
    disableClientInfo: true,
    // The check is an INFO whose refusal ioredis prints on the console; who loads answers LOADING anyway.
    enableReadyCheck: false,
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    // Only with 0 do commands without an answer fail at the disconnect; else they would hang for ever.
    maxRetriesPerRequest: 0,
    // `disconnect` sets a timer of this length that nothing clears when the socket is closed already.
    disconnectTimeout: DISCONNECT_TIMEOUT_MS,
    connectTimeout: connectTimeoutMs,
    commandTimeout: commandTimeoutMs,
    retryStrategy: (attempt) => backoffDelayMs({ attempt, minMs: backoffMinMs, maxMs: backoffMaxMs }),
  });
  client.on('error', (error: Error) => {
    lastErrors.set(client, error);
    log.debug({ err: refusalOf(error, where), client: name }, 'a Redis connection failed');
  });
  client.on('ready', () => {
    lastErrors.delete(client);
    log.debug({ where, client: name }, 'a Redis connection stands');
  });
  return client;
}

/**
 * Waits until the client can take commands and the server answers a PING. Tries once: rejects with the classified
 * reason (UNREACHABLE, AUTH_FAILED, SERVER_BUSY …) of the first attempt that fails, while the client goes on trying;
 * call again to wait for the next attempt. Rejects with CLOSED when the signal aborts.
 */
export async function connectClient(client: Redis, signal?: AbortSignal): Promise<void> {
  if (client.status !== 'ready') await nextAttempt(client, signal);
  try {
    // A server that wants a password, or is loading, accepts the connection and says so at the first command.
    await client.ping();
  } catch (error) {
    throw refusalOf(error, whereOf(client));
  }
}

/** `host:port` of a client, for messages. */
export function whereOf(client: Redis): string {
  return hostAndPort({ host: client.options.host ?? '', port: client.options.port ?? 0 });
}

/** What a server answers; a lost connection or an error reply becomes an error of Tandem. @throws TandemError */
export async function answerOf<T>(client: Redis, asked: Promise<T>): Promise<T> {
  try {
    return await asked;
  } catch (error) {
    throw refusalOf(error, whereOf(client));
  }
}

async function nextAttempt(client: Redis, signal?: AbortSignal): Promise<void> {
  const where = whereOf(client);
  if (signal?.aborted === true) throw stopped(where);
  let onReady = (): void => {};
  let onClose = (): void => {};
  let onAbort = (): void => {};
  try {
    await new Promise<void>((resolve, reject) => {
      onReady = resolve;
      onClose = () => reject(refusalOf(lastErrors.get(client) ?? new Error('Connection is closed'), where));
      onAbort = () => reject(stopped(where));
      client.on('ready', onReady);
      client.on('close', onClose);
      signal?.addEventListener('abort', onAbort, { once: true });
      if (client.status === 'wait' || client.status === 'end') client.connect().catch(() => {});
    });
  } finally {
    client.off('ready', onReady);
    client.off('close', onClose);
    signal?.removeEventListener('abort', onAbort);
  }
}

/** Half of the pause is fixed, half is chance, so that many clients of one server do not return in step. */
export function backoffDelayMs({
  attempt,
  minMs,
  maxMs,
}: {
  attempt: number;
  minMs: number;
  maxMs: number;
}): number {
  const fullMs = Math.min(maxMs, minMs * 2 ** Math.min(attempt - 1, MAX_DOUBLINGS));
  return Math.round(fullMs / 2 + (Math.random() * fullMs) / 2);
}

/** TLS options for sockets of any kind; the files were found readable when the configuration was loaded. */
export function tlsOptions(
  { caFile, certFile, keyFile, rejectUnauthorized }: TlsConfig,
  host: string,
): ConnectionOptions {
  return {
    servername: /^[\d.]+$|:/.test(host) ? '' : host,
    rejectUnauthorized,
    ...(caFile === null ? {} : { ca: readFileSync(caFile) }),
    ...(certFile === null ? {} : { cert: readFileSync(certFile) }),
    ...(keyFile === null ? {} : { key: readFileSync(keyFile) }),
  };
}

function stopped(where: string): TandemError {
  return new TandemError('CLOSED', `stopped while connecting to ${where}`);
}
