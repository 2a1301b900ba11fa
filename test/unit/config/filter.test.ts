import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Filter, globToRegExp, type FilterOptions } from '../../../src/config/filter.js';

/** Redis' own way of matching, character by character: `stringmatchlen` of its util.c told again. */
function matches(pattern: Uint8Array, text: Uint8Array): boolean {
  const [first] = pattern;
  if (first === undefined) return text.length === 0;
  if (first === code('*')) {
    for (let i = 0; i <= text.length; i++) if (matches(pattern.subarray(1), text.subarray(i))) return true;
    return false;
  }
  if (text.length === 0) return false;
  if (first === code('?')) return matches(pattern.subarray(1), text.subarray(1));
  if (first === code('[')) {
    const set = readSet(pattern.subarray(1), text[0]!);
    return set.holds && matches(set.rest, text.subarray(1));
  }
  const escaped = first === code('\\') && pattern.length > 1 ? 1 : 0;
  return pattern[escaped] === text[0] && matches(pattern.subarray(escaped + 1), text.subarray(1));
}

function readSet(behindBracket: Uint8Array, byte: number): { holds: boolean; rest: Uint8Array } {
  let p = behindBracket;
  const negated = p[0] === code('^');
  if (negated) p = p.subarray(1);
  let found = false;
  for (; p.length > 0 && p[0] !== code(']'); p = p.subarray(1)) {
    if (p[0] === code('\\') && p.length > 1) {
      p = p.subarray(1);
      found ||= p[0] === byte;
    } else if (p.length > 2 && p[1] === code('-')) {
      found ||= Math.min(p[0]!, p[2]!) <= byte && byte <= Math.max(p[0]!, p[2]!);
      p = p.subarray(2);
    } else found ||= p[0] === byte;
  }
  return { holds: found !== negated, rest: p.subarray(1) };
}

function code(character: string): number {
  return character.charCodeAt(0);
}

const EVERYTHING: FilterOptions = {
  databases: 'all',
  keysInclude: ['*'],
  keysExclude: [],
  commandsExclude: [],
  channelsInclude: ['*'],
  channelsExclude: [],
};

describe('a glob', () => {
  test('matches what the servers match', () => {
    const letters = fc.constantFrom('a', 'b', 'c', '-', '^', '[', ']', '*', '?', '\\', 'é', '\n');
    fc.assert(
      fc.property(fc.array(letters, { maxLength: 9 }), fc.array(letters, { maxLength: 7 }), (glob, text) => {
        const [pattern, key] = [Buffer.from(glob.join('')), Buffer.from(text.join(''))];
        expect(globToRegExp(glob.join('')).test(key.toString('latin1'))).toBe(matches(pattern, key));
      }),
      { numRuns: 20_000 },
    );
  });

  // Each line was seen on a server, with KEYS.
  test.each([
    ['[a-]', 'a', true],
    ['[a-]', '^', true],
    ['[a-]', '-', false],
    ['[^a-]', 'k', true],
    ['[^a-]', 'a', false],
    ['h[ae]llo', 'hallo', true],
    ['h[^e]llo', 'hello', false],
    ['a\\*', 'a*', true],
    ['a\\*', 'ab', false],
    ['*', '', true],
    ['?', '', false],
  ])('%j on %j: %s', (glob, key, expected) => {
    expect(globToRegExp(glob).test(key)).toBe(expected);
  });

  test('with many stars is still quick', () => {
    const began = performance.now();
    expect(globToRegExp(`${'*'.repeat(60)}b`).test('a'.repeat(2000))).toBe(false);
    expect(performance.now() - began).toBeLessThan(500);
  });
});

describe('a filter', () => {
  test('lets everything through unless told otherwise, and says so', () => {
    const filter = new Filter(EVERYTHING);
    expect([filter.passesAllKeys, filter.passesAllCommands]).toEqual([true, true]);
    expect([filter.key(9, Buffer.from('x')), filter.command('SET'), filter.wholeDatabase(3)]).toEqual([
      true,
      true,
      true,
    ]);
  });

  test('passes keys that one pattern includes and none excludes, in the databases named', () => {
    const filter = new Filter({
      ...EVERYTHING,
      databases: [0, 2],
      keysInclude: ['a*', 'b'],
      keysExclude: ['*z'],
    });
    const passes = (database: number, key: string): boolean => filter.key(database, Buffer.from(key));
    expect([passes(0, 'ab'), passes(2, 'b'), passes(1, 'ab'), passes(0, 'az'), passes(0, 'c')]).toEqual([
      true,
      true,
      false,
      false,
      false,
    ]);
    expect(filter.passesAllKeys).toBe(false);
    expect(filter.wholeDatabase(0)).toBe(false);
  });

  test('passes no key at all when no pattern includes any', () => {
    expect(new Filter({ ...EVERYTHING, keysInclude: [] }).key(0, Buffer.from('x'))).toBe(false);
  });

  test('knows keys by their bytes, text or not', () => {
    const filter = new Filter({ ...EVERYTHING, keysInclude: ['é?'] });
    expect(filter.key(0, Buffer.from([0xc3, 0xa9, 0xff]))).toBe(true);
    expect(filter.key(0, Buffer.from([0xe9, 0xff]))).toBe(false);
  });

  test('leaves out commands and channels by name', () => {
    const filter = new Filter({ ...EVERYTHING, commandsExclude: ['pfcount'], channelsExclude: ['secret:*'] });
    expect([filter.command('PFCOUNT'), filter.command('PFADD')]).toEqual([false, true]);
    expect([filter.channel(Buffer.from('secret:x')), filter.channel(Buffer.from('news'))]).toEqual([
      false,
      true,
    ]);
    expect([filter.passesAllCommands, filter.passesAllKeys]).toEqual([false, true]);
  });
});
