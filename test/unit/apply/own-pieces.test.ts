import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { payloadCommands } from '../../../src/apply/payload.js';
import type { Piece } from '../../../src/apply/rules/meeting.js';
import { OwnPieces } from '../../../src/apply/rules/own-pieces.js';
import { pieceOf } from '../../../src/apply/rules/pieces.js';
import { resolve } from '../../../src/apply/rules/resolve.js';
import { encodeCommand } from '../../../src/change/encode-command.js';

const KEY = 'key';

const COMMANDS = [
  ['INCRBY', KEY, '3'],
  ['PFADD', KEY, 'a'],
  ['APPEND', KEY, 'x'],
  ['SETBIT', KEY, '1', '1'],
  ['HSET', KEY, 'f', '1'],
  ['HSET', KEY, 'g', '1', 'h', '2'],
  ['HDEL', KEY, 'f', 'h'],
  ['HINCRBY', KEY, 'f', '2'],
  ['SADD', KEY, 'm', 'n'],
  ['SREM', KEY, 'm'],
  ['ZADD', KEY, '1', 'm'],
  ['ZINCRBY', KEY, '2', 'm'],
  ['ZPOPMIN', KEY],
  ['RPUSH', KEY, 'e'],
  ['PEXPIREAT', KEY, '4102444800000'],
  ['PERSIST', KEY],
  ['SET', KEY, 'v'],
  ['DEL', KEY],
];

const command = fc.integer({ min: 0, max: COMMANDS.length - 1 });
/** Few kinds in one history, so that many have nothing that clashes. */
const history = fc
  .uniqueArray(command, { minLength: 1, maxLength: 4 })
  .chain((kinds) => fc.array(fc.constantFrom(...kinds), { minLength: 1, maxLength: 12 }));

function piece(index: number, timestamp: number, site: string): Piece {
  const [made] = payloadCommands(encodeCommand(COMMANDS[index]!));
  return pieceOf({ command: made!, timestamp, site }, Buffer.from(KEY));
}

test('a command resolves against the relevant pieces as against all of them', () => {
  fc.assert(
    fc.property(history, command, fc.integer({ min: 0, max: 14 }), (own, incoming, timestamp) => {
      const all = own.map((index, at) => piece(index, at + 1, 'east'));
      const theirs = piece(incoming, timestamp, 'west');
      const relevant = new OwnPieces(all).relevantTo(theirs);
      expect(resolve({ incoming: theirs, own: relevant })).toEqual(resolve({ incoming: theirs, own: all }));
    }),
    { numRuns: 3000 },
  );
});

test('of a counter increased thousands of times one piece is enough', () => {
  const all = Array.from({ length: 5000 }, (_, at) => piece(0, at + 1, 'east'));
  expect(new OwnPieces(all).relevantTo(piece(0, 3, 'west'))).toEqual([all.at(-1)]);
});
