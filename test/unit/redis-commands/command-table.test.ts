import { describe, expect, test } from 'vitest';
import * as fc from 'fast-check';
import {
  COMMAND_TABLE,
  commandSpec,
  destinationDatabase,
  effectOf,
  isContainer,
  keepsExpiry,
  type CommandSpec,
} from '../../../src/redis-commands/command-table.js';

/** A command as it is typed: words apart by one space. */
function parse(line: string): { spec: CommandSpec; args: Buffer[] } {
  const args = line.split(' ').map((word) => Buffer.from(word));
  const spec = commandSpec(String(args[0]), args[1]?.toString());
  if (spec === undefined) throw new Error(`no row for ${line}`);
  return { spec, args };
}

function effect(line: string): string {
  const { spec, args } = parse(line);
  return effectOf(spec, args);
}

describe('a command is found', () => {
  test('by its name in any mixture of cases', () => {
    const anyCase = fc
      .constantFrom(...COMMAND_TABLE)
      .chain((spec) => fc.tuple(fc.constant(spec), fc.mixedCase(fc.constant(spec.name))));
    fc.assert(
      fc.property(anyCase, ([spec, typed]) => {
        const [name = '', subcommand] = typed.split(' ');
        expect(commandSpec(name, subcommand)).toBe(spec);
      }),
    );
  });

  test('whatever its first argument is', () => {
    expect(commandSpec('SET', 'CREATE')?.name).toBe('SET');
  });

  test('in a container only together with its sub-command', () => {
    expect(commandSpec('xgroup', 'create')?.name).toBe('XGROUP CREATE');
    expect(commandSpec('XGROUP')).toBeUndefined();
    expect(commandSpec('XGROUP', 'HELP')).toBeUndefined();
    expect(commandSpec('XGROUP CREATE')?.name).toBe('XGROUP CREATE');
  });

  test('or not, when it is a module’s, a newer server’s, or only reads', () => {
    for (const name of ['JSON.SET', 'GET', '', '__proto__', 'constructor'])
      expect(commandSpec(name)).toBeUndefined();
  });
});

test('containers are told from commands', () => {
  expect(['XGROUP', 'function', 'Script'].every(isContainer)).toBe(true);
  expect(['SET', 'XADD', 'XGROUP CREATE', 'nothing'].some(isContainer)).toBe(false);
});

test('no two rows have the same name', () => {
  expect(new Set(COMMAND_TABLE.map(({ name }) => name)).size).toBe(COMMAND_TABLE.length);
});

test('the fast path is for commands that write their first argument and look at nothing else', () => {
  for (const name of ['SET', 'HSET', 'ZADD', 'LPUSH', 'XADD', 'EXPIRE'])
    expect(commandSpec(name)?.singleKey, name).toBe(true);
  for (const name of [
    'DEL',
    'MSET',
    'RENAME',
    'COPY',
    'MOVE',
    'SORT',
    'PUBLISH',
    'BLPOP',
    'PFMERGE',
    'EVAL',
    'FLUSHALL',
  ]) {
    expect(commandSpec(name)?.singleKey, name).toBe(false);
  }
});

describe('options change the effect', () => {
  test.each([
    ['SET k v', 'set'],
    ['SET k nx', 'set'],
    ['SET k v GET', 'set'],
    ['SET k v PX 100 KEEPTTL', 'set'],
    ['SET k v nx', 'modify'],
    ['SET k v PX 100 XX', 'modify'],
    ['SET k v IFEQ get', 'modify'],
    ['MSETEX 1 nx xx EX 10', 'set'],
    ['MSETEX 1 k v EX 10 nx', 'modify'],
    ['GETEX k', 'none'],
    ['GETEX k PERSIST', 'expire'],
    ['DELEX k', 'remove'],
    ['DELEX k IFEQ v', 'modify'],
    ['BITFIELD k GET u8 0', 'none'],
    ['BITFIELD k GET u8 0 incrby u8 0 1', 'modify'],
  ])('of a string: %s is %s', (line, expected) => expect(effect(line)).toBe(expected));

  test.each([
    ['PEXPIREAT k 1000', 'expire'],
    ['PEXPIREAT k 1000 gt', 'modify'],
    ['HEXPIRE k 10 FIELDS 2 nx gt', 'cell-expire'],
    ['HEXPIRE k 10 nx FIELDS 1 f', 'modify'],
    ['HPERSIST k FIELDS 1 f', 'cell-expire'],
    ['HSETEX k FIELDS 1 fnx fxx', 'cells'],
    ['HSETEX k PXAT 1000 FNX FIELDS 1 f v', 'modify'],
    ['HGETEX k FIELDS 2 f g', 'none'],
    ['HGETEX k PERSIST FIELDS 1 f', 'cell-expire'],
  ])('of an expiry or a field: %s is %s', (line, expected) => expect(effect(line)).toBe(expected));

  test.each([
    ['ZADD k 1 nx', 'member'],
    ['zadd k ch 1 a 2 b', 'member'],
    ['ZADD k CH gt 1 a', 'modify'],
    ['ZADD k INCR 1 a', 'modify'],
    ['GEOADD k 1 2 xx', 'cells'],
    ['GEOADD k XX 1 2 a', 'modify'],
    ['SORT k', 'none'],
    ['SORT k DESC store d', 'derive'],
    ['GEORADIUS k 1 2 3 km ASC', 'none'],
    ['GEORADIUS k 1 2 3 km ASC STOREDIST d', 'derive'],
    ['GEORADIUSBYMEMBER k store 3 km', 'none'],
    ['LPUSH k nx', 'push-left'],
    ['RPOP k', 'pop-right'],
    ['rpop k 2', 'pops-right'],
    ['XGROUP CREATE k g $', 'stream'],
    ['FUNCTION FLUSH', 'function'],
  ])('of a collection: %s is %s', (line, expected) => expect(effect(line)).toBe(expected));
});

test.each([
  ['SET k v', false],
  ['SET k KEEPTTL', false],
  ['SET k v keepttl', true],
  ['SET k v NX KEEPTTL', true],
  ['SET k v IFEQ KEEPTTL', false],
  ['MSETEX 1 k KEEPTTL', false],
  ['MSETEX 1 k v KEEPTTL', true],
  ['MSETEX 1 k v KEEPTTL XX', true],
  ['GETSET k KEEPTTL', false],
])('whether the expiry stays: %s: %s', (line, expected) => {
  const { spec, args } = parse(line);
  expect(keepsExpiry(spec, args)).toBe(expected);
});

test.each([
  ['MOVE k 3', 3],
  ['COPY a b', undefined],
  ['COPY db b REPLACE', undefined],
  ['COPY a db DB 7', 7],
  ['COPY a b replace db 0', 0],
  ['RENAME a b', undefined],
])('the other database: %s: %s', (line, expected) => {
  const { spec, args } = parse(line);
  expect(destinationDatabase(spec, args)).toBe(expected);
});
