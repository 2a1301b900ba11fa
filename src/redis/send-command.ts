import type { Redis } from 'ioredis';
import type { Writable } from 'node:stream';
import { encodeCommand, type Argument } from '../redis-commands/encode-command.js';
import { Command } from './ioredis.js';

/** An argument that is not copied. */
const LARGE_BYTES = 16 * 1024;
/** Of so few, what is text is joined faster as text. */
const FEW_ARGUMENTS = 16;

/**
 * Sends a command on an ioredis client without putting its arguments together in memory first: large ones go to the socket as they are.
 * Otherwise ioredis copies each batch at each of its two sendings, which costs as much as capture.
 */
export function sendCommand(
  client: Redis,
  [name, ...args]: readonly [name: string, ...args: Argument[]],
): Promise<unknown> {
  // ioredis puts a command's arguments into its errors: it does not get to see them.
  const command = new Command(name, [], { replyEncoding: 'utf8' });
  const parts = piecesOf([name, ...args]);
  const last = parts.pop()!;
  command.toWritable = (socket: object): string | Buffer => {
    const stream = socket as Writable;
    if (parts.length === 0) return last;
    // One write for all of them; ioredis itself writes what is returned, right after this.
    stream.cork();
    for (const part of parts) stream.write(part);
    process.nextTick(() => stream.uncork());
    return last;
  };
  return client.sendCommand(command) as Promise<unknown>;
}

/** The command as RESP, in few pieces: one, unless there is a large argument. */
function piecesOf(args: readonly Argument[]): (string | Buffer)[] {
  const isSmall = !args.some((argument) => typeof argument === 'object' && argument.length >= LARGE_BYTES);
  return isSmall && args.length > FEW_ARGUMENTS ? [encodeCommand(args)] : partsOf(args);
}

/** All text between two buffers is one string. */
function partsOf(args: readonly Argument[]): (string | Buffer)[] {
  const parts: (string | Buffer)[] = [];
  let text = `*${args.length}\r\n`;
  for (const argument of args) {
    if (typeof argument === 'object') {
      parts.push(`${text}$${argument.length}\r\n`, argument);
      text = '\r\n';
    } else {
      const own = String(argument);
      text += `$${Buffer.byteLength(own)}\r\n${own}\r\n`;
    }
  }
  parts.push(text);
  return parts;
}
