import { OverwrittenSets } from '../../../src/local-writes/overwritten-sets.js';
import { indexOf } from '../../support/batch-index.js';
import { describe, expect, test } from 'vitest';
import type { LateWrites } from '../../../src/local-writes/late-writes.js';
import { lateWrites } from '../../support/late-writes.js';
import { currentCommand } from '../../../src/protocol/payload.js';
import { CommandNames } from '../../../src/redis-commands/command-names.js';
import { CommandReader } from '../../../src/redis-commands/command-reader.js';
import { Window } from '../../../src/local-writes/window.js';
import type { Batch } from '../../../src/protocol/batch.js';
import { effectCode, type RecordedEffect } from '../../../src/redis-commands/effect-code.js';
import { KeyHash } from '../../../src/protocol/key-hash.js';
import { resp } from '../redis-commands/chunks.js';

function batchOf(first: number, ...lines: string[]): Batch {
  const counts = { epoch: 1, timestamp: 1, seenEpoch: 1, seen: 0, special: 0 };
  const payload = resp('SELECT 0', ...lines);
  return {
    pair: 'p',
    origin: 'o',
    ...counts,
    first,
    changes: lines.length,
    commands: lines.length + 1,
    groups: [],
    payload,
  };
}

type How = Parameters<LateWrites['decided']>[2];

function decide(late: LateWrites, batch: Batch, how?: How): void {
  late.decided(batch, indexOf(batch), how);
}

/** The sequence of what is asked. */
const REQUEST = 100;

interface Site {
  readonly overwritten: OverwrittenSets;
  readonly late: LateWrites;
  /** Lists in which a late write came to stand elsewhere, with its sequence; and keys on which one was met wrongly. */
  readonly passed: readonly string[];
  readonly misplaced: readonly string[];
  readonly write: (key: string, sequence: number, effect?: RecordedEffect) => void;
  /** Lets the transaction go by and gives the keys that are asked for. */
  readonly echo: (sequence: number, decided: number, ...lines: string[]) => string[];
  /** The peer has seen the local writes up to here. */
  readonly seen: (sequence: number) => void;
}

function setup(maxEntries = 1000, now = (): number => 1_000_000): Site {
  const window = new Window({ recentMs: 1000, maxEntries, now });
  const [passed, misplaced]: [string[], string[]] = [[], []];
  const overwritten = new OverwrittenSets({ raise: () => {} });
  const late = lateWrites(window, {
    overwritten,
    onPassed: (name, sequence) => passed.push(`${name} ${sequence}`),
    onMisplaced: (name) => misplaced.push(name),
  });
  const hash = new KeyHash();
  const names = new CommandNames();
  return {
    late,
    overwritten,
    passed,
    misplaced,
    seen: (sequence) => window.advance(sequence),
    write: (key, sequence, effect = 'set') => {
      hash.of(0, Buffer.from(key), 0, key.length);
      window.record(hash.low, hash.high, sequence, effectCode(effect));
    },
    echo: (sequence, decided, ...lines) => {
      late.applied(sequence, decided, () => []);
      const reader = new CommandReader();
      reader.push(resp(...lines));
      while (reader.next()) {
        const known = names.find(reader.buffer, reader.argumentStart(0), reader.argumentEnd(0));
        if (late.concerns(reader, 0, known)) late.echoed(currentCommand(reader, 0));
      }
      const { lacking, disordered } = late.end(REQUEST);
      return [...lacking, ...disordered].map(({ database, key }) => `${database} ${key.toString()}`);
    },
  };
}

describe('a local write is late', () => {
  test.each([
    ['copy', 'INCR a', []],
    ['copy', 'RPUSH a x', []],
    ['state', 'INCR a', ['0 a']],
    ['state', 'ZADD a 1 m', []],
    ['state', 'ZREM a m', []],
    ['state', 'ZPOPMIN a', ['0 a']],
    ['need', 'INCR a', []],
    ['need', 'HSET a f 1', []],
    ['need', 'RPUSH a x', []],
  ] as const)(
    'but what Tandem itself has put there is none, where it changes nothing: %s, and %s',
    (effect, line, expected) => {
      const { late, write, echo } = setup();
      decide(late, batchOf(5, line));
      write('a', 11, effect);
      expect(echo(5, 10, line)).toEqual(expected);
    },
  );

  test.each([
    ['ZPOPMIN a', 'member', ['a']],
    ['LPOP a 2', 'push-left', ['a']],
    ['HDEL a f', 'cells', ['a']],
    ['HSET a f 1', 'remove', []],
  ] as const)(
    'for what may have taken the last of a key: the peer is told of the deadline that it has here: %s',
    (line, effect, expected) => {
      const { late, write } = setup();
      decide(late, batchOf(5, line));
      write('a', 11, effect);
      late.applied(5, 10, () => []);
      expect(late.end(REQUEST).deadlinesKept.map(({ key }) => key.toString())).toEqual(expected);
    },
  );

  test('when it stands behind what was decided against and before the marker, on a key of the batch', () => {
    const { late, write, echo } = setup();
    write('a', 1);
    decide(late, batchOf(5, 'INCR a', 'SET b 1'));
    write('a', 2);
    write('c', 3);
    expect([echo(6, 1, 'INCR a', 'SET b 1'), late.count]).toEqual([['0 a'], 1]);
  });

  test('when the batch was decided by a process that is gone: its commands come round all the same', () => {
    const { write, echo } = setup();
    write('a', 2);
    expect(echo(6, 1, 'SET a 1')).toEqual(['0 a']);
  });

  test('when the value of this site was to stay, and the process that decided so is gone', () => {
    const { late, write } = setup();
    write('a', 1);
    write('a', 2, 'remove');
    const kept = ['a', 'b'].map((key) => ({ database: 0, key: Buffer.from(key) }));
    late.applied(6, 1, () => kept);
    expect(late.end(REQUEST).lacking).toEqual([kept[0]]);
  });

  test('when the command it meets was left out: it stands in the batch still', () => {
    const { late, write, echo } = setup();
    decide(late, batchOf(5, 'INCR a'));
    write('a', 2);
    expect(echo(5, 1)).toEqual(['0 a']);
  });

  test('when the key is only read by the batch: what is made of it is asked for', () => {
    const { late, write, echo } = setup();
    decide(late, batchOf(5, 'COPY source target'));
    write('source', 1);
    expect(echo(5, 0, 'COPY source target')).toEqual(['0 target']);
  });

  test('when the key is made of one that is asked for', () => {
    const { late, write, echo } = setup();
    const lines = ['INCR source', 'COPY source target'];
    decide(late, batchOf(5, ...lines));
    write('source', 1);
    expect(echo(6, 0, ...lines)).toEqual(['0 source', '0 target']);
  });

  test('perhaps, when the window has let go of what was written since: then every key is asked for', () => {
    const { late, write, echo } = setup(2);
    decide(late, batchOf(5, 'SET a 1'));
    for (let sequence = 1; sequence <= 5; sequence++) write('x', sequence);
    expect(echo(5, 1, 'SET a 1')).toEqual(['0 a']);
  });
});

describe('a local write is not late', () => {
  test('when it had been decided against, or is on another key', () => {
    const { late, write, echo } = setup();
    write('a', 1);
    decide(late, batchOf(5, 'SET a 1'));
    write('c', 2);
    expect(echo(5, 1, 'SET a 1')).toEqual([]);
  });

  test('when the order makes no difference', () => {
    const { late, write, echo } = setup();
    decide(late, batchOf(5, 'INCR a', 'PFADD b x', 'INCR c'));
    write('a', 1, 'sum');
    write('b', 2, 'union');
    write('c', 3, 'set');
    write('c', 4, 'sum');
    expect(echo(7, 0, 'INCR a', 'PFADD b x', 'INCR c')).toEqual(['0 c']);
  });
});

test('a key is asked for once, until the peer has seen the request, and the answer with it has come', () => {
  const { seen, write, echo } = setup();
  write('a', 1);
  expect([echo(5, 0, 'SET a 1'), echo(6, 0, 'SET a 1')]).toEqual([['0 a'], []]);
  seen(REQUEST);
  write('a', REQUEST + 1);
  expect(echo(7, 0, 'SET a 1')).toEqual(['0 a']);
});

test('a key is asked for again when a write is late for the answer itself', () => {
  const { late, write, echo } = setup();
  write('a', 1);
  expect(echo(5, 0, 'SET a 1')).toEqual(['0 a']);
  decide(late, { ...batchOf(6, 'SET a 2'), seen: REQUEST });
  write('a', REQUEST + 1);
  expect(echo(6, REQUEST, 'SET a 2')).toEqual(['0 a']);
});

test('what was decided and has not come round is counted: more than 16 MiB of it holds up what follows', () => {
  const { late, echo } = setup();
  const large = `SET a ${'x'.repeat(6 * 1024 * 1024)}`;
  for (const first of [1, 2, 3]) {
    expect(late.isFull).toBe(false);
    decide(late, batchOf(first, large));
    // Decided anew, it counts once.
    decide(late, batchOf(first, large));
  }
  expect(late.isFull).toBe(true);
  echo(1, 0);
  expect(late.isFull).toBe(false);
});

test('a write that is late on a key asked for in any case is told of, and not asked for again', () => {
  const { late, write, echo } = setup();
  let told = 0;
  write('a', 1);
  const awaited = new Map([['0:a', () => told++]]);
  decide(late, batchOf(5, 'RPUSH a x', 'INCR b'), { removed: new Map(), awaited });
  write('a', 2);
  write('b', 3);
  expect([echo(6, 1, 'RPUSH a x', 'INCR b'), told > 0]).toEqual([['0 b'], true]);
});

test('a key is unseen above what a question knew, also when a later batch knew more and the window has let go of it', () => {
  let clock = 1_000_000;
  const { late, write, seen } = setup(1000, () => clock);
  const key = { database: 0, key: Buffer.from('a') };
  write('a', 120);
  expect([late.isUnseen(key, 100), late.isUnseen(key, 120)]).toEqual([true, false]);
  seen(110);
  clock += 10_000;
  write('b', 150);
  seen(140);
  expect([late.isUnseen(key, 100), late.isUnseen(key, 140)]).toEqual([true, false]);
});

describe('at the ends of a list', () => {
  test('nothing is late that means the same as it is: a push behind pops and behind pushes at the other end, a pop behind these', () => {
    const { late, write, echo, passed, misplaced } = setup();
    decide(late, batchOf(5, 'LPUSH a x'), { removed: new Map(), awaited: new Map() });
    write('a', 1, 'pop-right');
    write('a', 2, 'push-right');
    expect(echo(5, 0, 'LPUSH a x')).toEqual([]);
    decide(late, batchOf(6, 'RPOP b'), { removed: new Map(), awaited: new Map() });
    write('b', 3, 'push-left');
    expect(echo(6, 2, 'RPOP b')).toEqual([]);
    expect([passed, misplaced]).toEqual([[], []]);
  });

  test('of a move each half is held against what was written to its own list', () => {
    const { late, write, echo } = setup();
    const move = 'LMOVE a b RIGHT LEFT';
    decide(late, batchOf(5, move), { removed: new Map(), awaited: new Map() });
    write('a', 1, 'push-left');
    write('b', 2, 'push-right');
    expect(echo(5, 0, move)).toEqual([]);
    decide(late, batchOf(6, move), { removed: new Map(), awaited: new Map() });
    write('a', 3, 'push-right');
    expect(echo(6, 2, move)).toEqual(['0 a', '0 b']);
  });

  test('a push past what slipped in at its end is told of, and a pop behind it in the same batch is late', () => {
    const { late, write, echo, passed } = setup();
    decide(late, batchOf(5, 'RPUSH a x'), { removed: new Map(), awaited: new Map() });
    write('a', 7, 'push-right');
    expect([echo(5, 6, 'RPUSH a x'), [...new Set(passed)]]).toEqual([[], ['0:a 7']]);
    decide(late, batchOf(6, 'RPUSH a x', 'LPOP a'), { removed: new Map(), awaited: new Map() });
    write('a', 8, 'push-right');
    expect(echo(6, 7, 'RPUSH a x', 'LPOP a')).toEqual(['0 a']);
    decide(late, batchOf(8, 'LPOP b', 'RPUSH b x'), { removed: new Map(), awaited: new Map() });
    write('b', 9, 'push-right');
    expect(echo(9, 8, 'LPOP b', 'RPUSH b x')).toEqual([]);
  });

  test('pushes alone may stand in another order, but nothing is missing; behind a pop something may be', () => {
    const { late, write, echo, misplaced } = setup();
    decide(late, batchOf(5, 'LPUSH a x'), { removed: new Map(), awaited: new Map() });
    write('a', 1, 'push-left');
    expect([echo(5, 0, 'LPUSH a x'), misplaced]).toEqual([['0 a'], []]);
    decide(late, batchOf(6, 'RPOP b'), { removed: new Map(), awaited: new Map() });
    write('b', 2, 'pop-right');
    expect([echo(6, 1, 'RPOP b'), misplaced]).toEqual([['0 b'], ['0:b']]);
  });
});

describe('a SET that is late for a SET', () => {
  const a = { database: 0, key: Buffer.from('a') };

  test('is to be put back, and the peer is not asked', () => {
    const { late, overwritten, write, echo } = setup();
    decide(late, batchOf(5, 'SET a 1', 'SET b 1'));
    write('a', 2);
    expect([echo(6, 1, 'SET a 1', 'SET b 1'), late.count]).toEqual([[], 1]);
    expect(overwritten.all()).toMatchObject([{ key: a, through: REQUEST - 1 }]);
  });

  test('is left where it is when the peer had none that ran, since a local one was later', () => {
    const { late, overwritten, write, echo } = setup();
    decide(late, batchOf(5, 'SET a 1', 'SET b 1'));
    write('a', 2);
    expect([echo(6, 1, 'SET b 1'), overwritten.isEmpty]).toEqual([[], true]);
  });

  test.each([
    ['another local write was late as well', ['SET a 1'], ['set', 'expire'], ['0 a']],
    ['another command of the batch met it', ['SET a 1', 'INCR a'], ['set'], ['0 a']],
    ['no SET of the batch did', ['INCR a'], ['set'], ['0 a']],
  ] as const)('is asked for where %s', (_, lines, effects, expected) => {
    const { late, overwritten, write, echo } = setup();
    decide(late, batchOf(5, ...lines));
    for (const [at, effect] of effects.entries()) write('a', 2 + at, effect);
    expect([echo(6, 1, ...lines), overwritten.isEmpty]).toEqual([expected, true]);
  });

  describe('and that is not put back yet', () => {
    const waiting = (): Site => {
      const site = setup();
      decide(site.late, batchOf(5, 'SET a 1'));
      site.write('a', 2);
      site.echo(5, 1, 'SET a 1');
      return site;
    };

    test('is settled by a SET of the peer that knew of it', () => {
      const { late, overwritten, echo } = waiting();
      decide(late, batchOf(6, 'SET a 2'));
      expect([echo(6, REQUEST, 'SET a 2'), overwritten.isEmpty]).toEqual([[], true]);
    });

    test.each([
      ['builds on it', ['INCR a'], ['0 a']],
      ['copies it', ['COPY a b'], ['0 a', '0 b']],
      ['empties the database', ['FLUSHALL'], ['0 a']],
    ] as const)('is asked for when an applied change %s', (_, lines, expected) => {
      const { overwritten, echo } = waiting();
      expect([echo(6, REQUEST, ...lines), overwritten.isEmpty]).toEqual([expected, true]);
    });

    test.each([
      ['replaces the value, which makes it good', 'replace', []],
      ['asks for the key, which is enough', 'ask', []],
      ['does anything else, which the peer must be asked before', 'other', ['a']],
    ] as const)('is over with a local change, or a message, that %s', (_, does, asks) => {
      const { late, overwritten } = waiting();
      const asked = late.sets.writing([{ key: a, does }], REQUEST + 1).map((one) => one.key.toString());
      expect([asked, overwritten.isEmpty]).toEqual([asks, true]);
    });

    test('is kept in Redis, also when it is asked for, until the request is in the change list', () => {
      const { late, overwritten } = waiting();
      expect(overwritten.kept(REQUEST)).toMatch(/^0x[0-9a-f]+$/);
      late.sets.writing('all', REQUEST + 1);
      expect(overwritten.kept(REQUEST + 1)).toMatch(/^0x[0-9a-f]+$/);
      expect(overwritten.kept(REQUEST + 2)).toBe('0');
    });

    test('is late once more when its own transaction has another one slip in', () => {
      const { overwritten, write, echo } = waiting();
      const [before] = overwritten.all();
      write('a', REQUEST + 1);
      overwritten.returning(5, 2);
      expect(echo(5, 2, 'SET a late')).toEqual([]);
      expect(overwritten.all()).toHaveLength(1);
      expect(overwritten.all()[0]).not.toBe(before);
    });
  });
});

test('more SETs than can be remembered are asked for', () => {
  const { late, overwritten, write, echo } = setup(10_000);
  const keys = Array.from({ length: 1100 }, (_, i) => `k${i}`);
  const lines = keys.map((key) => `SET ${key} 1`);
  decide(late, batchOf(5, ...lines));
  for (const [at, key] of keys.entries()) write(key, 2 + at);
  expect([echo(5 + 1099, 1, ...lines).length, overwritten.all().length]).toEqual([1100 - 1024, 1024]);
});
