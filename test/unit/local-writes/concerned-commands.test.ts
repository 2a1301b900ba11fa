import { describe, expect, test } from 'vitest';
import type { LateWrites } from '../../../src/local-writes/late-writes.js';
import { OverwrittenSets } from '../../../src/local-writes/overwritten-sets.js';
import { Window } from '../../../src/local-writes/window.js';
import { KeyHash } from '../../../src/protocol/key-hash.js';
import { CommandNames } from '../../../src/redis-commands/command-names.js';
import { CommandReader } from '../../../src/redis-commands/command-reader.js';
import { effectCode } from '../../../src/redis-commands/effect-code.js';
import { lateWrites } from '../../support/late-writes.js';
import { resp } from '../redis-commands/chunks.js';

interface Site {
  readonly late: LateWrites;
  readonly overwritten: OverwrittenSets;
  readonly write: (key: string, sequence: number) => void;
}

function setup(maxEntries = 1000): Site {
  const window = new Window({ recentMs: 1000, maxEntries, now: () => 0 });
  const overwritten = new OverwrittenSets({ raise: () => {} });
  const late = lateWrites(window, { overwritten });
  const hash = new KeyHash();
  const write = (key: string, sequence: number): void => {
    hash.of(0, Buffer.from(key), 0, key.length);
    window.record(hash.low, hash.high, sequence, effectCode('set'));
  };
  return { late, overwritten, write };
}

describe('of a transaction that comes round', () => {
  const names = new CommandNames();
  const concerns = (late: LateWrites, line: string): boolean => {
    const reader = new CommandReader();
    reader.push(resp(line));
    reader.next();
    return late.concerns(
      reader,
      0,
      names.find(reader.buffer, reader.argumentStart(0), reader.argumentEnd(0)),
    );
  };
  const LINES = ['SET a 1', 'SET b 1', 'MOVE b 1', 'RENAME b c', 'XTRIM b MAXLEN 1', 'DEL b', 'SMOVE b c m'];

  test('a command with one key is taken apart where that was written after the plan, any other one always', () => {
    const { late, write } = setup();
    write('b', 9);
    write('a', 11);
    late.applied(5, 10, () => []);
    expect(LINES.filter((line) => !concerns(late, line))).toEqual(['SET b 1']);
  });

  test('but for what removes or is on entries, none is where nothing was written after the plan', () => {
    const { late, write } = setup();
    write('a', 9);
    late.applied(5, 10, () => []);
    expect(LINES.filter((line) => concerns(late, line))).toEqual(['XTRIM b MAXLEN 1', 'DEL b']);
  });

  test('each is where the window has let go of what was written', () => {
    const { late, write } = setup(2);
    for (const [at, key] of ['x', 'y', 'a', 'z'].entries()) write(key, 11 + at);
    late.applied(5, 10, () => []);
    expect(LINES.filter((line) => !concerns(late, line))).toEqual([]);
  });

  test('each is while a value is to be put back', () => {
    const { late, write, overwritten } = setup();
    write('a', 11);
    overwritten.add({ key: { database: 0, key: Buffer.from('k') }, through: 0, theirTimestamp: 0 });
    late.applied(5, 10, () => []);
    expect(LINES.filter((line) => !concerns(late, line))).toEqual([]);
  });
});
