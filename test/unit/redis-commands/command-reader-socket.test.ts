import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CommandReader } from '../../../src/redis-commands/command-reader.js';
import { encodeCommand } from '../../../src/redis-commands/encode-command.js';
import { TandemError } from '../../../src/errors.js';

/** Reads a stream that comes in pieces of the given sizes, all of them through one and the same buffer, as from a socket. */
function readInPieces(stream: Buffer, sizes: readonly number[]): { commands: string[][]; consumed: number } {
  const reader = new CommandReader();
  const socket = Buffer.alloc(Math.max(...sizes));
  const commands: string[][] = [];
  for (let at = 0, i = 0; at < stream.length; i++) {
    const length = Math.min(sizes[i % sizes.length]!, stream.length - at);
    stream.copy(socket, 0, at, at + length);
    at += length;
    reader.push(socket.subarray(0, length));
    const found: Buffer[][] = [];
    while (reader.next()) {
      expect(reader.buffer.subarray(reader.start, reader.end)).toEqual(encodeCommand(reader.arguments()));
      found.push(reader.arguments());
    }
    // They are still good here, after the reader has said that there is no more.
    commands.push(...found.map((args) => args.map((argument) => argument.toString('latin1'))));
  }
  return { commands, consumed: reader.consumed };
}

describe('the command reader', () => {
  it('finds the same commands wherever the stream is cut, though every piece overwrites the one before', () => {
    const argument = fc.oneof(
      fc.string({ maxLength: 12 }),
      fc.string({ minLength: 200, maxLength: 600 }),
      fc.constantFrom('', '\r\n', '*3\r\n$3\r\n', 'x'.repeat(5_000)),
    );
    const command = fc.array(argument, { minLength: 1, maxLength: 40 });
    const sizes = fc.array(fc.oneof(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 300, max: 30_000 })), {
      minLength: 1,
      maxLength: 20,
    });
    fc.assert(
      fc.property(fc.array(command, { maxLength: 8 }), sizes, (commands, pieces) => {
        const stream = Buffer.concat(commands.map((args) => encodeCommand(args)));
        const read = readInPieces(stream, pieces);
        expect(read.commands).toEqual(
          commands.map((args) => args.map((text) => Buffer.from(text).toString('latin1'))),
        );
        expect(read.consumed).toBe(stream.length);
      }),
      { numRuns: 40 },
    );
  });

  it('refuses bytes that are not commands', () => {
    for (const bytes of ['PING\r\n', '*1\r\n+OK\r\n', '*x\r\n', '*1\r\n$-1\r\n']) {
      const reader = new CommandReader();
      reader.push(Buffer.from(bytes));
      expect(() => reader.next()).toThrow(TandemError);
    }
  });
});
