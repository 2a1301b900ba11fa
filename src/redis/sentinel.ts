/**
 * Asks Sentinels where a primary is, and has clients follow it. A server counts as the primary when the Sentinels name it and it
 * says itself that it is one: a primary that was replaced may come back, for a moment, as the primary it was.
 */

import net from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import tls from 'node:tls';
import { AbstractConnector } from 'ioredis';
import type { TlsConfig } from '../config.js';
import { hostAndPort, type RedisAddress } from '../config/redis-url.js';
import { primaryCalled, type SentinelTarget } from '../config/sentinel-url.js';
import { TandemError } from '../errors.js';
import { RawConnection } from './raw-connection.js';
import { refusalOf } from './refusal.js';
import { tlsOptions } from './tls-options.js';

export interface AskOptions {
  readonly target: SentinelTarget;
  readonly tls: TlsConfig;
  readonly connectTimeoutMs: number;
  readonly signal: AbortSignal;
}

/** A Sentinel is near its server: one that takes longer is passed over for the others. */
const SENTINEL_MS = 1000;
const NAME = 'tandem:sentinel';
const NOT_A_SENTINEL = new Set(['UNSUPPORTED_VERSION', 'UNSUPPORTED_MODE']);

/** What one Sentinel knows: its configuration has a number, which rises with every failover. */
interface Named {
  readonly host: string;
  readonly port: number;
  readonly configEpoch: number;
}

/**
 * Where the primary is, as the Sentinels name it: all are asked at once, and as soon as most have answered the newest answer counts.
 * @throws TandemError UNREACHABLE when none answers; CONFIG_INVALID when all answer and none knows the name, or one is no Sentinel
 */
export async function findPrimary(options: AskOptions): Promise<RedisAddress> {
  const { target, signal } = options;
  const { sentinels, primaryName, username, password } = target;
  const done = new AbortController();
  const stop = AbortSignal.any([signal, done.signal]);
  const named: Named[] = [];
  const failures: TandemError[] = [];
  let unknown = 0;
  await new Promise<void>((resolve) => {
    const settle = (): void => {
      const heard = named.length + unknown + failures.length;
      if (named.length > sentinels.length / 2 || heard === sentinels.length) resolve();
    };
    for (const sentinel of sentinels)
      void askSentinel(sentinel, { ...options, signal: stop })
        .then((one) => (one ? named.push(one) : unknown++))
        .catch((error: unknown) => failures.push(refusalOf(error, `Sentinel ${hostAndPort(sentinel)}`)))
        .finally(settle);
  });
  done.abort();
  signal.throwIfAborted();
  const newest = named.toSorted((one, other) => other.configEpoch - one.configEpoch)[0];
  if (!newest) throw nobodyNames(target, failures);
  const { host, port } = newest;
  const account = {
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
  };
  if (host === '') throw new TandemError('UNREACHABLE', `the Sentinels name no address for ${primaryName}`);
  return Object.freeze({ host, port, tls: target.tls, ...account });
}

/** Nothing: this Sentinel does not know the name. */
async function askSentinel(address: RedisAddress, options: AskOptions): Promise<Named | undefined> {
  const { target, connectTimeoutMs, signal } = options;
  const connection = await RawConnection.open({
    address,
    tls: tlsOptions(options.tls, address.host),
    name: NAME,
    connectTimeoutMs: Math.min(connectTimeoutMs, SENTINEL_MS),
    signal: AbortSignal.any([signal, AbortSignal.timeout(SENTINEL_MS)]),
  });
  try {
    const reply = await connection.command('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', target.primaryName);
    if (!Array.isArray(reply)) return undefined;
    const [host, port] = reply.map(String);
    const fields = await connection.command('SENTINEL', 'MASTER', target.primaryName);
    const words = Array.isArray(fields) ? fields.map(String) : [];
    const at = words.indexOf('config-epoch');
    return { host: host!, port: Number(port), configEpoch: at < 0 ? 0 : Number(words[at + 1]) };
  } finally {
    connection.close();
  }
}

function nobodyNames(target: SentinelTarget, failures: readonly TandemError[]): TandemError {
  const { primaryName, sentinels } = target;
  const found = failures.map(({ message }) => message).toSorted();
  const stranger = failures.find(({ code }) => NOT_A_SENTINEL.has(code));
  if (stranger)
    return new TandemError('CONFIG_INVALID', `${stranger.message}: it is no Sentinel`, {
      hint: 'sentinel:// takes the addresses of Sentinels. For a single server the URL starts with redis://.',
    });
  if (failures.length === 0)
    return new TandemError('CONFIG_INVALID', `no Sentinel knows a primary by the name ${primaryName}`, {
      hint: 'Check the name at the end of the URL: it is the one in `sentinel monitor <name> …`.',
      details: { sentinels: sentinels.map(hostAndPort) },
    });
  const refused = failures.find(({ code }) => code === 'AUTH_FAILED' || code === 'TLS_FAILED');
  if (refused && failures.length === sentinels.length)
    return new TandemError(refused.code, `no Sentinel lets Tandem in: ${refused.message}`, {
      hint: 'The Sentinels have an account of their own: sentinelUser and sentinelPassword in the URL.',
    });
  const others = failures.length < sentinels.length ? '; the others do not know the name' : '';
  return new TandemError(
    'UNREACHABLE',
    `no Sentinel names the primary ${primaryName}: ${found.join('; ')}${others}`,
    {
      hint: 'Check hosts and ports of the Sentinels, that they run, and that the firewall lets this machine in.',
    },
  );
}

/** How often one of the Sentinels is asked whether the primary is still the same. */
const WATCH_MS = 1000;

/** Resolves when the Sentinels name another primary than `address`; while none answers, nothing is known and it waits. */
async function untilMoved(
  options: AskOptions & { readonly current: () => RedisAddress | undefined },
): Promise<RedisAddress> {
  const { target, signal, current } = options;
  for (let turn = 0; ; turn++) {
    await sleep(WATCH_MS, undefined, { signal });
    const sentinel = target.sentinels[turn % target.sentinels.length]!;
    const one = await askSentinel(sentinel, options).catch(() => undefined);
    if (!one || isSame(one, current())) continue;
    const primary = await findPrimary(options).catch(() => undefined);
    signal.throwIfAborted();
    const now = current();
    if (primary && now && !isSame(primary, now)) return primary;
  }
}

export function isSame(
  one: Pick<RedisAddress, 'host' | 'port'>,
  other: Pick<RedisAddress, 'host' | 'port'> | undefined,
): boolean {
  return one.host === other?.host && one.port === other.port;
}

/**
 * Opens an ioredis client's sockets at whatever server the Sentinels name at that moment. What goes wrong with the Sentinels
 * becomes the error of a socket, so that the client tries again with its own back-off.
 */
export class PrimaryConnector extends AbstractConnector {
  readonly #options: Omit<AskOptions, 'signal'>;
  #asking = new AbortController();
  #address: RedisAddress | undefined;

  constructor(options: Omit<AskOptions, 'signal'> & { readonly disconnectTimeoutMs: number }) {
    super(options.disconnectTimeoutMs);
    this.#options = options;
  }

  /** The server of the last connection, be it open or not. */
  get address(): RedisAddress | undefined {
    return this.#address;
  }

  get target(): SentinelTarget {
    return this.#options.target;
  }

  /** As {@link untilMoved}, for the server this client is connected to. */
  moved(signal: AbortSignal): Promise<RedisAddress> {
    return untilMoved({ ...this.#options, signal, current: () => this.#address });
  }

  /** @throws TandemError as {@link findPrimary} does */
  find(signal: AbortSignal): Promise<RedisAddress> {
    return findPrimary({ ...this.#options, signal });
  }

  override async connect(): Promise<net.Socket> {
    this.connecting = true;
    this.#asking = new AbortController();
    delete this.firstError;
    try {
      const address = await this.find(this.#asking.signal);
      this.#address = address;
      const { host, port } = address;
      this.stream = address.tls
        ? tls.connect({ host, port, ...tlsOptions(this.#options.tls, host) })
        : net.connect({ host, port });
      this.stream.once('error', (error: Error) => (this.firstError = error));
    } catch (error) {
      this.firstError = refusalOf(error, primaryCalled(this.target));
      this.stream = new net.Socket().destroy();
    }
    return this.stream;
  }

  override disconnect(): void {
    this.#asking.abort(new TandemError('CLOSED', 'the client was disconnected'));
    super.disconnect();
  }
}
