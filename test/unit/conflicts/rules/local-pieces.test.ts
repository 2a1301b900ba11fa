import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { payloadCommands } from '../../../../src/protocol/payload.js';
import { clashes } from '../../../../src/conflicts/rules/clash.js';
import { endCode } from '../../../../src/pieces/end-code.js';
import type { Piece } from '../../../../src/pieces/piece.js';
import { LocalPieces } from '../../../../src/conflicts/rules/local-pieces.js';
import type { RuleContext } from '../../../../src/conflicts/rules/rule-context.js';
import { UNKNOWN } from '../../../../src/conflicts/rules/rule-context.js';
import { piecesOf } from '../../../../src/pieces/pieces.js';
import { resolve } from '../../../../src/conflicts/rules/resolve.js';
import { encodeCommand } from '../../../../src/redis-commands/encode-command.js';
import { ENDLESS, ENDLESS_FIELD } from '../../../support/life.js';

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

function contextOf(local: LocalPieces): RuleContext {
  return {
    key: Buffer.from(KEY),
    database: 0,
    site: 'west',
    applied: 'applied',
    life: ENDLESS,
    fieldLife: () => ENDLESS_FIELD,
    local,
    pending: undefined,
    isAsking: false,
    isContended: false,
    isOnCell: () => false,
    hasRunOn: () => false,
    held: UNKNOWN,
    known: undefined,
    isDoubtful: () => false,
    isMisplaced: false,
    out: 'out',
    request: () => Buffer.from('request'),
  };
}

function piecesOfCommand(index: number, timestamp: number, site: string): Piece[] {
  const [made] = payloadCommands(encodeCommand(COMMANDS[index]!));
  return piecesOf({ command: made!, timestamp, site, sequence: timestamp, seen: 0 }, Buffer.from(KEY));
}

test('what clashes is found as if every local piece were looked at', () => {
  fc.assert(
    fc.property(history, command, (own, incoming) => {
      const all = own.flatMap((index, at) => piecesOfCommand(index, at + 1, 'east'));
      for (const theirs of piecesOfCommand(incoming, 7, 'west')) {
        const pieces = new LocalPieces(all);
        expect(pieces.clashingWith(theirs)).toEqual(pieces.built.filter((one) => clashes(one, theirs)));
        expect(pieces.onCell(theirs.cell)).toEqual(pieces.built.filter(({ cell }) => cell === theirs.cell));
      }
    }),
    { numRuns: 3000 },
  );
});

test('lists, lives and expiries are told as if every local piece were looked at', () => {
  fc.assert(
    fc.property(history, (own) => {
      const all = own.flatMap((index, at) => piecesOfCommand(index, at + 1, 'east'));
      const pieces = new LocalPieces(all);
      const isRemoval = ({ role, isRemoval: is }: Piece): boolean => role === 'key-head' && is;
      expect(pieces.endCodes).toEqual(new Set(all.map(endCode)));
      expect(pieces.lastExpiry).toBe(pieces.built.findLast(({ role }) => role === 'expiry'));
      expect(pieces.leastSeen?.seen).toBe(Math.min(...all.map(({ seen }) => seen)));
      expect(pieces.ends.last).toBe(all.findLast(({ endedAt }) => endedAt !== undefined));
      expect(pieces.ends.removals).toEqual(
        all.flatMap((piece, at) => {
          const isGivenExpiry = all.slice(at + 1).some(({ role }) => role === 'expiry');
          return isRemoval(piece) ? [{ piece, isGivenExpiry }] : [];
        }),
      );
    }),
    { numRuns: 1000 },
  );
});

test.each(['RPUSH', 'LPUSH', 'RPOP', 'LPOP', 'PEXPIREAT', 'HSET'])(
  'a batch of %s that meets thousands of local writes looks at each of them a few times, not once for each command',
  (name) => {
    const OWN = 2000;
    const INCOMING = 2000;
    const args = { RPOP: [], LPOP: [], PEXPIREAT: ['4102444800000'], HSET: ['g', '1'] }[name] ?? ['e'];
    const pieceOf = (words: readonly string[], site: string): Piece => {
      const [made] = payloadCommands(encodeCommand(words));
      return piecesOf({ command: made!, timestamp: 1, site, sequence: 1, seen: 0 }, Buffer.from(KEY))[0]!;
    };
    const mine = pieceOf(name === 'HSET' ? ['HSET', KEY, 'f', '1'] : ['LPUSH', KEY, 'x'], 'west');
    let looks = 0;
    const counted = new Proxy(mine, {
      get: (piece, field) => {
        looks++;
        return Reflect.get(piece, field) as unknown;
      },
    });
    const own = new LocalPieces(Array.from({ length: OWN }, () => counted));
    const incoming = pieceOf([name, KEY, ...args], 'east');
    const places = { upTo: 1, seen: 0, places: undefined };
    for (let i = 0; i < INCOMING; i++) resolve({ ...contextOf(own), known: places }, incoming);
    expect(looks).toBeLessThan(OWN * 200);
  },
);

test('nothing before the last head is built on', () => {
  const all = [4, COMMANDS.length - 2, 7].flatMap((index, at) => piecesOfCommand(index, at + 1, 'east'));
  expect(new LocalPieces(all).built.map(({ name }) => name)).toEqual(['HINCRBY']);
});

test.each([
  [`XADD ${KEY} MAXLEN = 2 5-0 f v`, `XADD ${KEY} 5-0 f v`, `XTRIM ${KEY} MAXLEN 2`],
  [`XADD ${KEY} IDMP producer 5 MAXLEN 2 5-0 f v`, `XADD ${KEY} 5-0 f v`, `XTRIM ${KEY} MAXLEN 2`],
  [`XADD ${KEY} NOMKSTREAM IDMPAUTO producer 5-0 f v`, `XADD ${KEY} 5-0 f v`],
  [`XTRIM ${KEY} LIMIT 10 ACKED MINID ~ 7`, `XTRIM ${KEY} MINID 7`],
])('of %s the entry and the trim are told, whatever options it has', (line, ...expected) => {
  const [made] = payloadCommands(encodeCommand(line.split(' ')));
  const source = { command: made!, timestamp: 1, site: 'east', sequence: 1, seen: 0 };
  const lines = piecesOf(source, Buffer.from(KEY)).map((piece) => piece.command.map(String).join(' '));
  expect(lines).toEqual(expected);
});

test.each([
  ['2', 'tail'],
  ['-1e299', 'tail'],
  ['inf', 'modify'],
  ['-Infinity', 'modify'],
  ['1e301', 'modify'],
])('ZINCRBY by %s is a %s: what comes to an infinity does not commute', (amount, role) => {
  const [made] = payloadCommands(encodeCommand(['ZINCRBY', KEY, amount, 'm']));
  const source = { command: made!, timestamp: 1, site: 'east', sequence: 1, seen: 0 };
  expect(piecesOf(source, Buffer.from(KEY)).map((piece) => piece.role)).toEqual([role]);
});
