import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CommandReader } from '../../../src/redis-commands/command-reader.js';
import { encodeCommand } from '../../../src/redis-commands/encode-command.js';
import { command, cut, cuts, pieces, resp } from './chunks.js';

/** Bytes as text, letter by byte: quick to compare. */
interface Met {
  readonly args: string[];
  readonly bytes: string;
  readonly consumed: number;
}

function text(bytes: Buffer): string {
  return bytes.toString('latin1');
}

function readAll(chunks: readonly Buffer[]): Met[] {
  const reader = new CommandReader();
  const met: Met[] = [];
  for (const chunk of chunks) {
    reader.push(chunk);
    while (reader.next()) {
      met.push({
        args: reader.arguments().map(text),
        bytes: text(reader.buffer.subarray(reader.start, reader.end)),
        consumed: reader.consumed,
      });
    }
    // The socket fills the same memory again.
    chunk.fill(0x2a);
  }
  return met;
}

function expected(commands: readonly Buffer[][]): Met[] {
  let consumed = 0;
  return commands.map((args) => {
    const bytes = encodeCommand(args);
    consumed += bytes.length;
    return { args: args.map(text), bytes: text(bytes), consumed };
  });
}

function streamOf(commands: readonly Buffer[][]): Buffer {
  return Buffer.concat(commands.map((args) => encodeCommand(args)));
}

function messageOf(stream: string): string {
  const reader = new CommandReader();
  try {
    reader.push(Buffer.from(stream));
    while (reader.next());
    return '';
  } catch (error) {
    expect(error).toMatchObject({ code: 'STREAM_INVALID' });
    return (error as Error).message;
  }
}

describe('commands are read', () => {
  test('with every byte and the right count of bytes, however the stream is cut', () => {
    fc.assert(
      fc.property(fc.array(command, { maxLength: 12 }), cuts, (commands, shares) => {
        expect(readAll(cut(streamOf(commands), shares))).toEqual(expected(commands));
      }),
      { numRuns: 500 },
    );
  });

  test('in pieces of every size, one byte at a time too', () => {
    const commands = [
      ['PING'],
      ['SET', 'key', 'value'],
      ['MSET', 'a', '1', 'b', '2'],
      ['X', '\0\r\n$*ÿ'],
    ].map((args) => args.map((argument) => Buffer.from(argument, 'latin1')));
    const stream = streamOf(commands);
    for (let size = 1; size <= stream.length; size++)
      expect(readAll(pieces(stream, size))).toEqual(expected(commands));
  });

  test('with more arguments than any before, cut anywhere', () => {
    const many = Array.from({ length: 20_000 }, (_, i) => Buffer.from(`${i}`));
    const commands = [[Buffer.from('PING')], many, [Buffer.from('SET'), Buffer.from('a')], many];
    const stream = streamOf(commands);
    for (const size of [499, 65_536, stream.length])
      expect(readAll(pieces(stream, size))).toEqual(expected(commands));
  });

  test('with an argument of many chunks, for which room is made once', () => {
    const large = Buffer.alloc(8 * 1024 * 1024, 'x');
    const stream = Buffer.concat([encodeCommand(['SET', 'k', large]), resp('PING')]);
    const reader = new CommandReader();
    const sizes = new Set<number>();
    const found: number[] = [];
    for (const chunk of pieces(stream, 16_384)) {
      reader.push(chunk);
      while (reader.next()) found.push(...reader.arguments().map((argument) => argument.length));
      sizes.add(reader.buffer.length);
    }
    expect(found).toEqual([3, 1, large.length, 4]);
    expect(sizes.size).toBeLessThan(6);
  });

  test('without a copy when they lie whole in a chunk', () => {
    const chunk = resp('SET a 1', 'SET b 2');
    const reader = new CommandReader();
    reader.push(chunk);
    while (reader.next()) expect(reader.buffer).toBe(chunk);
  });
});

test('asked again without more bytes, there is still no command', () => {
  const reader = new CommandReader();
  for (const byte of resp('SET key value').subarray(0, -1)) {
    reader.push(Buffer.of(byte));
    expect([reader.next(), reader.next(), reader.consumed]).toEqual([false, false, 0]);
  }
});

describe('what is no command is refused:', () => {
  test.each([
    ['+OK\r\n', 'does not start with *'],
    ['\n*1\r\n$4\r\nPING\r\n', 'does not start with *'],
    ['*-1\r\n', 'is not a number'],
    ['*1x\r\n', 'is not a number'],
    ['*99999999999\r\n', 'too many arguments'],
    ['*1\r\n:5\r\n', 'does not start with $'],
    ['*1\r\n$-1\r\n', 'is not a number'],
    ['*1\r\n$99999999999\r\n', 'too long'],
    ['*0\r\n', 'has no name'],
    ['*\r\n', 'has no name'],
  ])('%j', (stream, why) => {
    expect(messageOf(stream)).toContain(why);
    expect(messageOf(`*1\r\n$4\r\nPING\r\n${stream}`)).toContain(why);
  });
});
