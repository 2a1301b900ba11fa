import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { payloadCommands } from '../../../src/apply/payload.js';
import { clashes } from '../../../src/apply/rules/clash.js';
import type { Piece } from '../../../src/apply/rules/meeting.js';
import { OwnPieces } from '../../../src/apply/rules/own-pieces.js';
import { piecesOf } from '../../../src/apply/rules/pieces.js';
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
  ['LREM', KEY, '1', 'e'],
  ['XADD', KEY, '5-0', 'f', 'v'],
  ['XADD', KEY, '6-0', 'f', 'v'],
  ['XDEL', KEY, '5-0'],
  ['XTRIM', KEY, 'MAXLEN', '1'],
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

function piecesOfCommand(index: number, timestamp: number, site: string): Piece[] {
  const [made] = payloadCommands(encodeCommand(COMMANDS[index]!));
  return piecesOf({ command: made!, timestamp, site, sequence: timestamp, seen: 0 }, Buffer.from(KEY));
}

test('what clashes is found as if every own piece were looked at', () => {
  fc.assert(
    fc.property(history, command, (own, incoming) => {
      const all = own.flatMap((index, at) => piecesOfCommand(index, at + 1, 'east'));
      for (const theirs of piecesOfCommand(incoming, 7, 'west')) {
        const pieces = new OwnPieces(all);
        expect(pieces.clashingWith(theirs)).toEqual(pieces.built.filter((one) => clashes(one, theirs)));
        expect(pieces.onCell(theirs.cell)).toEqual(pieces.built.filter(({ cell }) => cell === theirs.cell));
      }
    }),
    { numRuns: 3000 },
  );
});

test('nothing before the last head is built on', () => {
  const all = [4, COMMANDS.length - 2, 7].flatMap((index, at) => piecesOfCommand(index, at + 1, 'east'));
  expect(new OwnPieces(all).built.map(({ name }) => name)).toEqual(['HINCRBY']);
});

test('an addition that trims is an addition and a trim', () => {
  const [made] = payloadCommands(encodeCommand(['XADD', KEY, 'MAXLEN', '=', '2', '5-0', 'f', 'v']));
  const source = { command: made!, timestamp: 1, site: 'east', sequence: 1, seen: 0 };
  const lines = piecesOf(source, Buffer.from(KEY)).map((piece) => piece.command.map(String).join(' '));
  expect(lines).toEqual([`XADD ${KEY} 5-0 f v`, `XTRIM ${KEY} MAXLEN 2`]);
});
