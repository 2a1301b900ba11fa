import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CommandNames, type KnownName } from '../../../src/redis-commands/command-names.js';
import { row } from '../../../src/redis-commands/table/command-spec.js';
import { COMMAND_TABLE, effectOf, isContainer } from '../../../src/redis-commands/command-table.js';

function find(names: CommandNames, spelt: string): KnownName {
  const bytes = Buffer.from(`..${spelt}..`, 'latin1');
  return names.find(bytes, 2, bytes.length - 2);
}

describe('a name is found', () => {
  test('in any spelling, the first time and every other', () => {
    const names = new CommandNames();
    const spelling = fc
      .constantFrom(...COMMAND_TABLE)
      .chain((spec) => fc.tuple(fc.constant(spec), fc.mixedCase(fc.constant(spec.name))));
    fc.assert(
      fc.property(spelling, ([spec, spelt]) => {
        for (let i = 0; i < 2; i++) expect(find(names, spelt)).toMatchObject({ name: spec.name, spec });
      }),
      { numRuns: 3000 },
    );
  });

  test('among more names than are kept', () => {
    const names = new CommandNames();
    for (let round = 0; round < 2; round++) {
      for (let i = 0; i < 2000; i++)
        expect(find(names, `name-${i}`)).toMatchObject({ name: `NAME-${i}`, spec: undefined });
      expect(find(names, 'set').spec?.name).toBe('SET');
    }
  });

  test('whatever its bytes are', () => {
    const names = new CommandNames();
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 30 }), (bytes) => {
        const known = names.find(Buffer.from(bytes), 0, bytes.length);
        expect(known.name).toBe(Buffer.from(bytes).toString('latin1').toUpperCase());
      }),
    );
  });

  test('as a container when the sub-command decides', () => {
    const names = new CommandNames();
    expect(find(names, 'xgroup')).toMatchObject({ container: true, spec: undefined });
    expect(find(names, 'xgroup create')).toMatchObject({ container: false, name: 'XGROUP CREATE' });
  });

  test('with the rows that only the server at hand has', () => {
    const json = row('JSON.SET', 'any', 'unknown');
    expect(find(new CommandNames(new Map([['JSON.SET', json]])), 'json.set').spec).toBe(json);
  });
});

test('a command short enough to need no look has the effect of its row, whatever its arguments are', () => {
  const names = new CommandNames();
  const word = fc.constantFrom(
    'NX',
    'XX',
    'GT',
    'INCR',
    'CH',
    'EX',
    'PX',
    'FIELDS',
    'FNX',
    'SET',
    'IFEQ',
    'STORE',
    '1',
    'k',
  );
  const plain = fc.constantFrom(...COMMAND_TABLE.filter((spec) => find(names, spec.name).plainUpTo > 0));
  fc.assert(
    fc.property(plain, fc.array(word, { minLength: 1, maxLength: 7 }), (spec, words) => {
      const args = [spec.name, ...words].map((text) => Buffer.from(text));
      fc.pre(args.length <= find(names, spec.name).plainUpTo && !isContainer(spec.name));
      // The shortest ZADD has a score there: with an option it is longer.
      if (spec.name === 'ZADD' || spec.name === 'GEOADD') args[2] = Buffer.from('1');
      expect(effectOf(spec, args)).toBe(spec.effect);
    }),
    { numRuns: 5000 },
  );
});
