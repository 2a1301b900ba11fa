/**
 * Asks Sentinels where a primary is, and has clients follow it. A server counts as the primary when the Sentinels name it and it
 * says itself that it is one: a primary that was replaced may come back, for a moment, as the primary it was.
 */

import net from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import tls from 'node:tls';

import type { TlsConfig } from '../config/config.js';
import { hostAndPort, type RedisAddress } from '../config/redis-url.js';
import { primaryCalled, type SentinelTarget } from '../config/sentinel-url.js';
import { TandemError } from '../errors.js';
import { LinkedAbort } from '../async/linked-abort.js';
import { AbstractConnector } from './ioredis.js';
import { RawConnection } from './raw-connection.js';
import { refusalOf } from './refusal.js';
import { tlsOptions } from './tls-options.js';

export interface AskOptions {
  readonly target: SentinelTarget;
  readonly tls: TlsConfig;
  readonly connectTimeoutMs: number;
  readonly signal: AbortSignal;
  /** The newest configuration that was heard of. */
  readonly knownEpoch?: number;
}

/** A Sentinel is near its server: one that takes longer is passed over for the others. */
const SENTINEL_MS = 1000;
const NAME = 'tandem:sentinel';
const NOT_A_SENTINEL = new Set(['UNSUPPORTED_VERSION', 'UNSUPPORTED_MODE']);

/** Where a primary is, as Sentinels know it: their configuration has a number, which rises with every failover. */
export interface NamedPrimary extends RedisAddress {
  readonly configEpoch: number;
}

/**
 * Where the primary is, as the Sentinels name it: all are asked at once, and when most have answered the newest answer counts.
 * One that is older than `knownEpoch` has to be that of all.
 * @throws TandemError UNREACHABLE when none answers; CONFIG_INVALID when all answer and none knows the name, or one is no Sentinel
 */
export async function findPrimary(options: AskOptions): Promise<NamedPrimary> {
  const { target, signal, knownEpoch = 0 } = options;
  const { sentinels } = target;
  const done = new LinkedAbort(signal);
  const named: NamedPrimary[] = [];
  const failures: TandemError[] = [];
  let unknown = 0;
  await new Promise<void>((resolve) => {
    const settle = (): void => {
      const heard = named.length + unknown + failures.length;
      const isEnough =
        named.length > sentinels.length / 2 && named.some(({ configEpoch }) => configEpoch >= knownEpoch);
      if (isEnough || heard === sentinels.length) resolve();
    };
    for (const sentinel of sentinels)
      void askSentinel(sentinel, { ...options, signal: done.signal })
        .then((one) => (one ? named.push(one) : unknown++))
        .catch((error: unknown) => failures.push(refusalOf(error, `Sentinel ${hostAndPort(sentinel)}`)))
        .finally(settle);
  });
  done.abort();
  signal.throwIfAborted();
  const newest = named.toSorted((one, other) => other.configEpoch - one.configEpoch)[0];
  if (!newest) throw nobodyNames(target, failures);
  return newest;
}

/** @throws TandemError as {@link RawConnection.open} does */
async function openSentinel(address: RedisAddress, options: AskOptions): Promise<RawConnection> {
  const connection = await RawConnection.open({
    address,
    tls: tlsOptions(options.tls, address.host),
    name: NAME,
    connectTimeoutMs: Math.min(options.connectTimeoutMs, SENTINEL_MS),
    signal: options.signal,
  });
  connection.watchSilence({ limitMs: SENTINEL_MS });
  return connection;
}

/** The primary that one Sentinel names; undefined when it does not know the name. */
async function nameOf(connection: RawConnection, target: SentinelTarget): Promise<NamedPrimary | undefined> {
  const { primaryName, username, password, tls: isSecure } = target;
  const [reply, fields] = await Promise.all([
    connection.command('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', primaryName),
    connection.replyTo('SENTINEL', 'MASTER', primaryName),
  ]);
  if (!Array.isArray(reply)) return undefined;
  const [host = '', port] = reply.map(String);
  const words = Array.isArray(fields) ? fields.map(String) : [];
  const at = words.indexOf('config-epoch');
  return Object.freeze({
    host,
    port: Number(port),
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
    tls: isSecure,
    configEpoch: at < 0 ? 0 : Number(words[at + 1]),
  });
}

async function askSentinel(address: RedisAddress, options: AskOptions): Promise<NamedPrimary | undefined> {
  const connection = await openSentinel(address, options);
  try {
    return await nameOf(connection, options.target);
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

/** How often each Sentinel is asked whether the primary is still the same. Writes at the old one in between are lost. */
const WATCH_MS = 250;

interface WatchOptions extends AskOptions {
  readonly current: () => NamedPrimary | undefined;
}

/** Resolves when the Sentinels name another primary than `current`; while none answers, nothing is known and it waits. */
async function untilMoved(options: WatchOptions): Promise<NamedPrimary> {
  const done = new LinkedAbort(options.signal);
  const { signal } = done;
  try {
    return await Promise.race(
      options.target.sentinels.map((sentinel) => watchSentinel(sentinel, { ...options, signal })),
    );
  } finally {
    done.abort();
  }
}

/** Asks one Sentinel on one connection, and opens it again when it breaks. @throws only the abort */
async function watchSentinel(sentinel: RedisAddress, options: WatchOptions): Promise<NamedPrimary> {
  for (;;) {
    options.signal.throwIfAborted();
    let connection: RawConnection | undefined;
    try {
      connection = await openSentinel(sentinel, options);
      for (;;) {
        const moved = await newerPrimary(await nameOf(connection, options.target), options);
        if (moved) return moved;
        await sleep(WATCH_MS, undefined, { signal: options.signal });
      }
    } catch {
      // Tried again, unless it was the abort.
    } finally {
      connection?.close();
    }
    await sleep(SENTINEL_MS, undefined, { signal: options.signal });
  }
}

/** The newer configuration counts, whichever Sentinel names it; one that is not newer has to be that of most. */
async function newerPrimary(
  named: NamedPrimary | undefined,
  options: WatchOptions,
): Promise<NamedPrimary | undefined> {
  const current = options.current();
  if (!named || !current || isSame(named, current) || named.configEpoch < current.configEpoch)
    return undefined;
  if (named.configEpoch > current.configEpoch) return named;
  const found = await findPrimary(options);
  const now = options.current();
  return now && !isSame(found, now) ? found : undefined;
}

export function isSame(
  one: Pick<RedisAddress, 'host' | 'port'>,
  other: Pick<RedisAddress, 'host' | 'port'> | undefined,
): boolean {
  return one.host === other?.host && one.port === other.port;
}

/**
 * Opens an ioredis client's sockets at whatever server the Sentinels name at that moment. A failure of the Sentinels becomes the error of
 * a socket, so that the client tries again with its own back-off.
 */
export class PrimaryConnector extends AbstractConnector {
  readonly #options: Omit<AskOptions, 'signal'>;
  #asking = new AbortController();
  #address: NamedPrimary | undefined;
  /** The newest configuration that was heard of. */
  #knownEpoch = 0;

  constructor(options: Omit<AskOptions, 'signal'> & { readonly disconnectTimeoutMs: number }) {
    super(options.disconnectTimeoutMs);
    this.#options = options;
  }

  /** The server of the last connection, be it open or not. */
  get address(): NamedPrimary | undefined {
    return this.#address;
  }

  get target(): SentinelTarget {
    return this.#options.target;
  }

  /** As {@link untilMoved}, for the server this client is connected to. */
  async moved(signal: AbortSignal): Promise<NamedPrimary> {
    return this.#heard(await untilMoved({ ...this.#options, signal, current: () => this.#address }));
  }

  /** @throws TandemError as {@link findPrimary} does */
  async find(signal: AbortSignal): Promise<NamedPrimary> {
    return this.#heard(await findPrimary({ ...this.#options, signal, knownEpoch: this.#knownEpoch }));
  }

  #heard(named: NamedPrimary): NamedPrimary {
    this.#knownEpoch = named.configEpoch;
    return named;
  }

  override async connect(): Promise<net.Socket> {
    this.connecting = true;
    this.#asking = new AbortController();
    delete this.firstError;
    try {
      const address = await this.find(this.#asking.signal);
      this.#asking.signal.throwIfAborted();
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
    // ioredis would wait for the end of a socket that is closed already, with a timer.
    if (this.stream?.destroyed) this.connecting = false;
    else super.disconnect();
  }
}
