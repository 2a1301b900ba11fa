/** Tells a server that speaks no TLS where the URL asks for it, or TLS where it does not: to the client both only hang up or say nothing. */

import net from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import tls from 'node:tls';
import { hostAndPort, type RedisAddress } from '../config/redis-url.js';
import { isSentinelTarget, parseTarget } from '../config/sentinel-url.js';
import { TandemError, type ErrorCode } from '../errors.js';

/** The errors that a connection to a port of the other kind can end with. */
const SUSPECT: ReadonlySet<ErrorCode> = new Set(['UNREACHABLE', 'TIMEOUT', 'TLS_FAILED', 'INTERNAL']);

/** A server that has not answered by then is not told apart. */
const PROBE_MS = 1000;

/** A server that is not connected to by then is asked without TLS: well before a site begins without waiting for the check. */
const SLOW_MS = 500;

/** Any reply of a Redis: `+PONG`, `-NOAUTH …`, `-DENIED …`. */
const PLAIN_REPLY = /^[-+][A-Z]/;

/**
 * The error that says so when a server that could not be talked to answers in the other way, with TLS or without; else `error`.
 * Sends one PING without a password.
 */
export async function orTlsMismatch(error: TandemError, url: string): Promise<TandemError> {
  return (SUSPECT.has(error.code) ? await mismatchOf(url) : undefined) ?? error;
}

/**
 * Rejects with that error as soon as a server that takes long can be told to speak no TLS: it waits for more, and the client for its
 * answer. Never settles otherwise.
 */
export async function untilTlsMismatch(url: string, signal: AbortSignal): Promise<never> {
  const isSlow = await sleep(SLOW_MS, true, { signal, ref: false }).catch(() => false);
  const mismatch = isSlow && parseTarget(url).tls ? await mismatchOf(url) : undefined;
  if (mismatch) throw mismatch;
  return new Promise<never>(() => {});
}

async function mismatchOf(url: string): Promise<TandemError | undefined> {
  const target = parseTarget(url);
  const [address] = isSentinelTarget(target) ? target.sentinels : [target];
  if (!address || !(await (address.tls ? answersInPlain(address) : answersInTls(address)))) return undefined;
  const [wanted, other] = isSentinelTarget(target)
    ? ['sentinels://', 'sentinel://']
    : ['rediss://', 'redis://'];
  const where = hostAndPort(address);
  return address.tls
    ? new TandemError('TLS_FAILED', `${where} does not speak TLS, and the URL asks for it`, {
        hint: `Write ${other} instead of ${wanted}, or give the port that the server has for TLS (tls-port).`,
        details: { where },
      })
    : new TandemError('TLS_FAILED', `${where} speaks TLS, and the URL does not ask for it`, {
        hint: `Write ${wanted} instead of ${other}; tls.caFile names the authority of its certificate.`,
        details: { where },
      });
}

function answersInPlain({ host, port }: RedisAddress): Promise<boolean> {
  const socket = net.connect({ host, port }, () => socket.write('PING\r\n'));
  return settled(socket, (resolve) =>
    socket.once('data', (chunk) => resolve(PLAIN_REPLY.test(chunk.toString('latin1')))),
  );
}

/** Whether the server speaks TLS. Looks at no certificate and sends no command, for it may be any server. */
function answersInTls({ host, port }: RedisAddress): Promise<boolean> {
  const socket = tls.connect({ host, port, rejectUnauthorized: false });
  return settled(socket, (resolve) => socket.once('secureConnect', () => resolve(true)));
}

async function settled(
  socket: net.Socket,
  onAnswer: (resolve: (is: boolean) => void) => void,
): Promise<boolean> {
  try {
    return await new Promise<boolean>((resolve) => {
      const no = (): void => resolve(false);
      socket.setTimeout(PROBE_MS, no).on('error', no).on('close', no);
      onAnswer(resolve);
    });
  } finally {
    socket.destroy();
  }
}
