/**
 * The replication stream of a server: connects as a replica does, passes over the snapshot, and feeds the commands to capture. It
 * acknowledges the offset that it has read to, every second and when asked. (Not the saved one, which only a write moves: a server that
 * shuts down stops all writes, and would wait for that offset until its time-out.)
 */

import type { ConnectionOptions } from 'node:tls';
import { CommandReader } from '../../redis-commands/command-reader.js';
import { encodeCommand } from '../../redis-commands/encode-command.js';
import type { RedisAddress } from '../../config/redis-url.js';
import type { TandemError } from '../../errors.js';
import { RawConnection } from '../../redis/raw-connection.js';
import type { StreamStart } from './request-stream.js';
import { beginStream } from './begin-stream.js';
import { SnapshotSkipper } from './snapshot-skipper.js';

export interface StreamOptions {
  readonly address: RedisAddress;
  readonly tls?: ConnectionOptions;
  readonly name: string;
  readonly connectTimeoutMs: number;
  /** Where to go on; nothing: at the present. */
  readonly from: { readonly replid: string; readonly offset: number } | undefined;
  readonly signal: AbortSignal;
  /** Asked before the stream is: throws if the server is not to be read. */
  readonly confirm?: (connection: RawConnection) => Promise<void>;
}

/** A primary writes something every ten seconds (`repl-ping-replica-period`), and Tandem its status every second: after this the stream is dead. */
const SILENCE_MS = 30_000;
/** How often the offset read is acknowledged. */
const ACK_MS = 1000;

export class ReplicationStream {
  readonly start: StreamStart;
  readonly reader = new CommandReader();
  readonly #connection: RawConnection;
  #acknowledging: NodeJS.Timeout | undefined;

  private constructor(connection: RawConnection, start: StreamStart) {
    this.#connection = connection;
    this.start = start;
  }

  /** @throws TandemError as `RawConnection.open` and `beginStream` do */
  static async open(options: StreamOptions): Promise<ReplicationStream> {
    const connection = await RawConnection.open(options);
    try {
      await options.confirm?.(connection);
      const another = (): Promise<RawConnection> => RawConnection.open(options);
      const start = await beginStream(connection, options.from, another);
      return new ReplicationStream(connection, start);
    } catch (error) {
      connection.close();
      throw error;
    }
  }

  /** Calls `onCommands` whenever the reader has got more; ends with the connection, and then throws its reason. */
  async run(onCommands: (reader: CommandReader) => void): Promise<void> {
    const connection = this.#connection;
    let skipper = this.start.hasSnapshot ? new SnapshotSkipper() : undefined;
    const began = (): void => {
      // A server that sends its snapshot from memory waits for the first acknowledgement before it sends the stream.
      this.acknowledge();
      this.#acknowledging = setInterval(() => this.acknowledge(), ACK_MS);
    };
    if (!skipper) began();
    connection.watchSilence({ limitMs: SILENCE_MS });
    connection.stream((chunk) => {
      let bytes: Buffer | undefined = chunk;
      if (skipper) {
        bytes = skipper.push(chunk);
        if (bytes === undefined) return;
        skipper = undefined;
        began();
      }
      if (bytes.length === 0) return;
      this.reader.push(bytes);
      onCommands(this.reader);
    });
    const reason = await connection.closed;
    clearInterval(this.#acknowledging);
    throw reason;
  }

  /** Stops and starts reading: what comes meanwhile waits at the server. */
  pause(): void {
    this.#connection.pause();
  }

  resume(): void {
    this.#connection.resume();
  }

  /** Ends {@link run}, which throws `reason`. */
  close(reason?: TandemError): void {
    clearInterval(this.#acknowledging);
    this.#connection.close(reason);
  }

  /** Tells the server how far the stream has been read. */
  acknowledge(): void {
    this.#connection.write([encodeCommand(['REPLCONF', 'ACK', this.start.offset + this.reader.consumed])]);
  }
}
