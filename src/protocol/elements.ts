/**
 * The value of a key as the commands that make it out of nothing, one behind the other as RESP. They come from the peer and run in an
 * account with all rights. So only commands that make a value are taken, in the one spelling that is sent, and only on the key itself.
 */

import { CommandReader } from '../redis-commands/command-reader.js';

/** Place of the key, by the words of the command; and how many arguments it has at least, and at the most. */
interface Shape {
  readonly key: number;
  readonly atLeast: number;
  readonly atMost: number;
}

/** Arguments that a script can hand to one command: its `unpack` ends near 8,000. */
const MAX_ARGUMENTS = 4000;

const SHAPES: ReadonlyMap<string, Shape> = new Map([
  ['SET', { key: 1, atLeast: 3, atMost: 3 }],
  ['RPUSH', { key: 1, atLeast: 3, atMost: MAX_ARGUMENTS }],
  ['SADD', { key: 1, atLeast: 3, atMost: MAX_ARGUMENTS }],
  ['HSET', { key: 1, atLeast: 4, atMost: MAX_ARGUMENTS }],
  ['HPEXPIREAT', { key: 1, atLeast: 6, atMost: 6 }],
  ['ZADD', { key: 1, atLeast: 4, atMost: MAX_ARGUMENTS }],
  ['XADD', { key: 1, atLeast: 5, atMost: MAX_ARGUMENTS }],
  ['XDEL', { key: 1, atLeast: 3, atMost: 3 }],
  ['XSETID', { key: 1, atLeast: 3, atMost: 7 }],
  ['XCLAIM', { key: 1, atLeast: 12, atMost: 12 }],
  ['XGROUP CREATE', { key: 2, atLeast: 5, atMost: 7 }],
  ['XGROUP CREATECONSUMER', { key: 2, atLeast: 5, atMost: 5 }],
  ['XGROUP DESTROY', { key: 2, atLeast: 4, atMost: 4 }],
]);

/** The commands in these bytes; nothing where they are anything else than such that make this key. */
export function elementsOf(bytes: Buffer, key: Buffer): Buffer[][] | undefined {
  const reader = new CommandReader();
  const commands: Buffer[][] = [];
  try {
    reader.push(Buffer.from(bytes));
    while (reader.next()) {
      const args = reader.arguments();
      const shape = shapeOf(args);
      const isSound = shape && args.length >= shape.atLeast && args.length <= shape.atMost;
      if (!isSound || !args[shape.key]!.equals(key)) return undefined;
      commands.push(args);
    }
  } catch {
    return undefined;
  }
  return reader.consumed === bytes.length && commands.length > 0 ? commands : undefined;
}

/** The names of the commands, the first word of each. */
export function elementNames(commands: readonly (readonly Buffer[])[]): Set<string> {
  return new Set(commands.map(([name]) => name!.toString('latin1')));
}

function shapeOf([name, subcommand]: readonly Buffer[]): Shape | undefined {
  const word = name!.toString('latin1');
  const words = word === 'XGROUP' ? `${word} ${subcommand?.toString('latin1') ?? ''}` : word;
  return SHAPES.get(words);
}
