/**
 * Working with a primary, and leaving a server that is one no longer, though its connections stand. Four things tell: the server
 * says that it is a replica, the Sentinels name another one, new connections by the same name lead to another primary, or nothing is
 * heard any more. Whoever leaves connects anew by name.
 */

import { setTimeout as sleep } from 'node:timers/promises';
import { hostAndPort } from '../config/redis-url.js';
import { TandemError } from '../errors.js';
import { LinkedAbort } from '../async/linked-abort.js';
import { AddressLook, isReplica, serverIn } from './address-look.js';
import {
  addressOf,
  connectClient,
  connectionOf,
  connectorOf,
  lastErrorOf,
  stoppedAt,
  whereOf,
  type Redis,
} from './connect.js';
import { refusalOf } from './refusal.js';

/** How often a server is asked whether it is a primary still. */
const ROLE_LOOK_MS = 1000;
/** Every so many such looks it is looked where the address leads. */
const ADDRESS_LOOKS = 5;
/** A client that has left a server is not asked to leave the next one before. */
const LEAVE_PAUSE_MS = 250;

const addressLooks = new WeakMap<Redis, AddressLook>();

/**
 * As `connectClient`; a server that says that it is a replica is left.
 * @throws TandemError SERVER_BUSY for a replica: the next attempt connects anew
 */
export async function connectPrimary(client: Redis, signal?: AbortSignal): Promise<void> {
  await connectClient(client, signal);
  if (connectorOf(client) || !(await isAtReplica(client))) return;
  if (client.status === 'ready') client.disconnect(true);
  throw new TandemError('SERVER_BUSY', `${whereOf(client)} is a replica`, {
    hint: 'It is tried again, with a new connection by the same name. If it stays so, give the address of the primary.',
  });
}

/**
 * Settles when the client's server is no longer the one to work with: its connection is gone, it is no primary, or another server is
 * in its place. The error says why. Never settles otherwise.
 * @throws TandemError UNREACHABLE
 */
export async function untilLost(client: Redis, signal: AbortSignal): Promise<never> {
  const where = whereOf(client);
  const stop = new LinkedAbort(signal);
  let onClose = (): void => {};
  try {
    return await new Promise<never>((_, reject) => {
      onClose = () => reject(refusalOf(lastErrorOf(client) ?? new Error('Connection is closed'), where));
      client.on('close', onClose);
      untilReplaced(client, stop.signal)
        .then((reason) => {
          reject(reason);
          // A command that waits for an answer there must not keep the work from ending.
          return client.disconnect(true);
        })
        .catch(() => {});
      stop.signal.addEventListener('abort', () => reject(stoppedAt(where)), { once: true });
      if (stop.signal.aborted) reject(stoppedAt(where));
    });
  } finally {
    stop.abort();
    client.off('close', onClose);
  }
}

/** Has a client leave a server that is no longer the one to work with, until the signal aborts; it connects anew by itself. */
export async function followPrimary(
  client: Redis,
  signal: AbortSignal,
  onLeft: (reason: TandemError) => void = () => {},
): Promise<void> {
  while (!signal.aborted) {
    const reason = await untilReplaced(client, signal).catch(() => undefined);
    if (reason && client.status === 'ready') {
      onLeft(reason);
      client.disconnect(true);
    }
    // Until it has connected anew it has left what it is told to leave.
    await sleep(LEAVE_PAUSE_MS, undefined, { signal }).catch(() => {});
  }
}

/** Resolves with the reason when another server is to be worked with than the client's. @throws only the abort */
async function untilReplaced(client: Redis, signal: AbortSignal): Promise<TandemError> {
  const stop = new LinkedAbort(signal);
  try {
    return await Promise.race([untilNamed(client, stop.signal), untilSeen(client, stop.signal)]);
  } finally {
    stop.abort();
  }
}

/** The Sentinels name another server. */
async function untilNamed(client: Redis, signal: AbortSignal): Promise<TandemError> {
  const connector = connectorOf(client);
  if (!connector) return new Promise<never>(() => {});
  const primary = await connector.moved(signal);
  return replaced(`${whereOf(client)} is the primary no longer: the Sentinels name ${hostAndPort(primary)}`);
}

/** The server says that it is a replica, or its address leads to another primary. */
async function untilSeen(client: Redis, signal: AbortSignal): Promise<TandemError> {
  for (let looks = 1; ; looks++) {
    await sleep(ROLE_LOOK_MS, undefined, { signal });
    const connection = connectionOf(client);
    // A subscribed connection can ask nothing.
    if (connection === undefined || isSubscribed(client)) continue;
    if (await isAtReplica(client)) {
      if (connectionOf(client) !== connection) continue;
      return replaced(`${whereOf(client)} is the primary no longer: it says that it is a replica`);
    }
    if (connectorOf(client) || looks % ADDRESS_LOOKS !== 0) continue;
    if ((await leadsElsewhere(client, signal)) && connectionOf(client) === connection)
      return replaced(`${whereOf(client)} leads to another primary by now: new connections go there`);
  }
}

async function leadsElsewhere(client: Redis, signal: AbortSignal): Promise<boolean> {
  const own = await runIdOf(client);
  if (own === undefined) return false;
  let look = addressLooks.get(client);
  if (!look) {
    const { connectionName = '', connectTimeout = 0, tls = {} } = client.options;
    const name = connectionName.replace(/[^:]*$/, 'look');
    look = new AddressLook(() => ({
      address: addressOf(client),
      tls,
      name,
      connectTimeoutMs: connectTimeout,
    }));
    addressLooks.set(client, look);
  }
  return look.leadsElsewhere(own, signal);
}

/** The `run_id` of the client's server; nothing where it does not tell. */
export async function runIdOf(client: Redis): Promise<string | undefined> {
  return serverIn(await client.info('server').catch(() => '')).runId;
}

/** Whether the server says so. One that may not be asked, or does not answer, does not. */
async function isAtReplica(client: Redis): Promise<boolean> {
  return isReplica(await client.info('replication').catch(() => ''));
}

function isSubscribed(client: Redis): boolean {
  const { condition } = client as unknown as { readonly condition?: { readonly subscriber?: unknown } };
  return Boolean(condition?.subscriber);
}

function replaced(message: string): TandemError {
  return new TandemError('UNREACHABLE', message);
}
