/**
 * A bare connection to a Redis, for the two places where bytes must pass untouched: the replication stream, and the
 * application of batches whose commands are sent as they were captured. Everything else goes through ioredis.
 */

import net from 'node:net';
import tls from 'node:tls';
import { encodeCommand, type Argument } from '../redis-commands/encode-command.js';
import { hostAndPort, type RedisAddress } from '../config/redis-url.js';
import { TandemError } from '../errors.js';
import { joinedParts } from './joined-parts.js';
import { refusalOf } from './refusal.js';
import { ErrorReply, ReplyReader, type Reply } from './reply-reader.js';

export interface RawConnectionOptions {
  readonly address: RedisAddress;
  /** Certificates for `rediss:`. */
  readonly tls?: tls.ConnectionOptions;
  /** The name in `CLIENT LIST`. */
  readonly name: string;
  /** Longest wait for the connection, the greeting included. */
  readonly connectTimeoutMs: number;
  readonly signal: AbortSignal;
}

/** How often silence is looked for. */
const TICK_MS = 1000;

/** Bytes one read from a socket brings at the most. */
const READ_BYTES = 256 * 1024;

export class RawConnection {
  /** Settles, never rejects, with the reason when the connection is gone. */
  readonly closed: Promise<TandemError>;
  readonly replies = new ReplyReader();
  readonly #socket: net.Socket;
  readonly #where: string;
  #failure: TandemError | undefined;
  #onStream: ((chunk: Buffer) => void) | undefined;
  /** Chunks received. */
  #heard = 0;

  private constructor(socket: net.Socket, address: RedisAddress) {
    this.#socket = socket;
    this.#where = hostAndPort(address);
    this.closed = new Promise((resolve) => {
      socket.on('close', () => {
        this.#failure ??= new TandemError('UNREACHABLE', `${this.#where}: the connection was closed`);
        this.replies.fail(this.#failure);
        resolve(this.#failure);
      });
    });
    socket.on('error', (cause) => (this.#failure ??= refusalOf(cause, this.#where)));
  }

  /** @throws TandemError UNREACHABLE, TIMEOUT, AUTH_FAILED, TLS_FAILED, CLOSED */
  static async open(options: RawConnectionOptions): Promise<RawConnection> {
    const { address, signal } = options;
    signal.throwIfAborted();
    // One buffer for all that comes: a new one for each read is more work for the garbage collector than all else together.
    const onread = {
      buffer: Buffer.allocUnsafeSlow(READ_BYTES),
      callback: (length: number, bytes: Uint8Array): boolean => {
        connection.#receive(Buffer.from(bytes.buffer, bytes.byteOffset, length));
        return true;
      },
    };
    const target = { host: address.host, port: address.port, onread };
    const socket = address.tls
      ? tls.connect({ ...target, servername: net.isIP(address.host) ? '' : address.host, ...options.tls })
      : net.connect(target);
    socket.setNoDelay(true);
    socket.setKeepAlive(true, 30_000);
    const connection = new RawConnection(socket, address);
    const abort = (): void =>
      connection.close(new TandemError('CLOSED', 'the connection was no longer wanted'));
    const timer = setTimeout(
      () =>
        connection.close(
          new TandemError(
            'TIMEOUT',
            `${hostAndPort(address)}: no answer within ${options.connectTimeoutMs} ms`,
          ),
        ),
      options.connectTimeoutMs,
    );
    signal.addEventListener('abort', abort, { once: true });
    if (signal.aborted) abort();
    void connection.closed.then(() => signal.removeEventListener('abort', abort));
    try {
      if (address.password !== undefined) {
        const user = address.username === undefined ? [] : [address.username];
        await connection.command('AUTH', ...user, address.password);
      }
      // Only a name to be seen in CLIENT LIST: it may be refused, or CLIENT not exist.
      const named = await connection.replyTo('CLIENT', 'SETNAME', options.name);
      if (named instanceof ErrorReply && !/^(NOPERM|ERR unknown)/.test(named.message))
        throw connection.refusal(named, 'CLIENT');
      return connection;
    } catch (error) {
      connection.close();
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  /** Sends one command and waits for its reply. @throws TandemError when the reply is an error, or never comes */
  async command(...args: readonly Argument[]): Promise<Reply> {
    const value = await this.replyTo(...args);
    if (value instanceof ErrorReply) throw this.refusal(value, String(args[0]));
    return value;
  }

  /** Sends one command and waits for its reply, which may be an error. @throws TandemError when it never comes */
  async replyTo(...args: readonly Argument[]): Promise<Reply> {
    const reply = this.replies.value();
    this.write([encodeCommand(args)]);
    return reply;
  }

  /** The error of Tandem for an error reply on this connection. */
  refusal(reply: ErrorReply, command: string): TandemError {
    const error = Object.assign(new Error(reply.message), { command: { name: command } });
    error.name = 'ReplyError';
    return refusalOf(error, this.#where);
  }

  /** Sends bytes. The caller has told {@link replies} what to expect. */
  write(parts: readonly Buffer[]): void {
    if (this.#failure) {
      this.replies.fail(this.#failure);
      return;
    }
    this.#socket.cork();
    for (const part of joinedParts(parts)) this.#socket.write(part);
    this.#socket.uncork();
  }

  /**
   * From here on the connection is a stream: hands over what has come already and then every chunk as it comes. A chunk is
   * written over by the next one: what is kept of it must be copied.
   */
  stream(onChunk: (chunk: Buffer) => void): void {
    const rest = this.replies.takeRest();
    this.#onStream = onChunk;
    if (rest.length > 0) this.#deliver(rest);
  }

  /**
   * Closes the connection (TIMEOUT) when nothing has come for `limitMs` though something must: a reply that is awaited, or the
   * next sign of life of a stream. With `pingMs`, a connection that is idle for so long is asked for one. Nobody else would notice
   * a connection that a firewall has forgotten. Time is counted in ticks, so that a process that was stopped does not count it.
   */
  watchSilence({ limitMs, pingMs }: { readonly limitMs: number; readonly pingMs?: number }): void {
    let silentMs = 0;
    let heard = this.#heard;
    let unsent = 0;
    const timer = setInterval(() => {
      // Bytes that a stream's reader sends say nothing of the server.
      const writableLength = this.#onStream ? 0 : this.#socket.writableLength;
      // A large transaction that is still on its way out is no silence.
      const isMoving = heard !== this.#heard || unsent !== writableLength || this.#socket.isPaused();
      heard = this.#heard;
      unsent = writableLength;
      silentMs = isMoving ? 0 : silentMs + TICK_MS;
      const isDue = this.#onStream !== undefined || this.replies.isAwaited;
      if (isDue && silentMs >= limitMs)
        this.close(new TandemError('TIMEOUT', `${this.#where}: nothing was heard for ${silentMs} ms`));
      else if (!isDue && pingMs !== undefined && silentMs >= pingMs) {
        silentMs = 0;
        this.replyTo('PING').catch(() => {});
      }
    }, TICK_MS);
    timer.unref();
    void this.closed.then(() => clearInterval(timer));
  }

  /** Stops and starts reading: what the server sends meanwhile waits at the server. */
  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  /** Closes at once; everything awaited fails with `reason`. */
  close(reason?: TandemError): void {
    this.#failure ??= reason ?? new TandemError('CLOSED', 'the connection was closed by Tandem');
    this.#socket.destroy();
  }

  #receive(chunk: Buffer): void {
    this.#heard++;
    if (this.#onStream) this.#deliver(chunk);
    else this.#guarded(() => this.replies.push(chunk));
  }

  #deliver(chunk: Buffer): void {
    this.#guarded(() => this.#onStream!(chunk));
  }

  /** An error in a reader ends the connection, with that error as the reason. */
  #guarded(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.close(
        error instanceof TandemError
          ? error
          : new TandemError('INTERNAL', 'the bytes received could not be handled', { cause: error }),
      );
    }
  }
}
