import { connect, type Socket } from 'node:net';
import { CommandReader } from '../../../src/redis-commands/command-reader.js';

/**
 * Reads a server's replication stream as a replica does, and keeps all of it: for tests that look at what a command becomes.
 * Without `capa eof` the server announces the snapshot's length, which makes it easy to skip.
 */
export class ReplicationTap {
  /** The commands so far, the name first. */
  readonly commands: Buffer[][] = [];
  readonly #reader = new CommandReader();
  readonly #socket: Socket;
  #head = Buffer.alloc(0);
  #snapshotRemaining: number | undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
  }

  /** Resolves when the stream has begun: whatever is written from then on will be in it. */
  static async open(port: number, host = '127.0.0.1'): Promise<ReplicationTap> {
    const socket = connect(port, host);
    const tap = new ReplicationTap(socket);
    await new Promise<void>((resolve, reject) => {
      socket.on('error', reject);
      socket.on('data', (chunk) => {
        tap.#take(chunk);
        if (tap.#snapshotRemaining !== undefined) resolve();
      });
      socket.write('PSYNC ? -1\r\n');
    });
    return tap;
  }

  close(): void {
    this.#socket.destroy();
  }

  #take(chunk: Buffer): void {
    const rest = this.#snapshotRemaining === undefined ? this.#skipGreeting(chunk) : chunk;
    const skipped = Math.min(this.#snapshotRemaining ?? 0, rest.length);
    if (this.#snapshotRemaining !== undefined) this.#snapshotRemaining -= skipped;
    if (skipped === rest.length) return;
    this.#reader.push(rest.subarray(skipped));
    while (this.#reader.next())
      this.commands.push(this.#reader.arguments().map((argument) => Buffer.from(argument)));
  }

  /** `+FULLRESYNC …`, empty lines while the server saves, and `$length` of the snapshot. */
  #skipGreeting(chunk: Buffer): Buffer {
    this.#head = Buffer.concat([this.#head, chunk]);
    const announced = /\$(\d+)\r\n/.exec(this.#head.toString('latin1'));
    if (announced === null) return Buffer.alloc(0);
    this.#snapshotRemaining = Number(announced[1]);
    return this.#head.subarray(announced.index + announced[0].length);
  }
}
