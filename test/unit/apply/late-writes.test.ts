import { describe, expect, test } from 'vitest';
import { LateWrites } from '../../../src/apply/late-writes.js';
import { payloadCommands } from '../../../src/apply/payload.js';
import { Window } from '../../../src/apply/window.js';
import type { Batch } from '../../../src/change/batch.js';
import { effectCode } from '../../../src/change/effect-code.js';
import type { Effect } from '../../../src/change/commands.js';
import { KeyHash } from '../../../src/change/key-hash.js';
import { resp } from '../change/chunks.js';

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

/** The sequence of what is asked. */
const REQUEST = 100;

interface Site {
  readonly late: LateWrites;
  readonly write: (key: string, sequence: number, effect?: Effect) => void;
  /** Lets the transaction go by and gives the keys that are asked for. */
  readonly echo: (sequence: number, decided: number, ...lines: string[]) => string[];
  /** The peer has seen the local writes up to here. */
  readonly seen: (sequence: number) => void;
}

function setup(maxEntries = 1000, now = (): number => 1_000_000): Site {
  const window = new Window({ recentMs: 1000, maxEntries, now });
  const late = new LateWrites(window, { ownPrefix: 'tandem:{test}:' });
  const hash = new KeyHash();
  return {
    late,
    seen: (sequence) => window.advance(sequence),
    write: (key, sequence, effect = 'set') => {
      hash.of(0, Buffer.from(key), 0, key.length);
      window.record(hash.low, hash.high, sequence, effectCode(effect));
    },
    echo: (sequence, decided, ...lines) => {
      late.applied(sequence, decided, () => []);
      for (const command of payloadCommands(resp('SELECT 0', ...lines)))
        if (late.isWatching) late.echoed(command);
      return late.end(REQUEST).map(({ database, key }) => `${database} ${key.toString()}`);
    },
  };
}

describe('a local write is late', () => {
  test('when it stands behind what was decided against and before the marker, on a key of the batch', () => {
    const { late, write, echo } = setup();
    write('a', 1);
    late.decided(batchOf(5, 'SET a 1', 'SET b 1'));
    write('a', 2);
    write('c', 3);
    expect([echo(6, 1, 'SET a 1', 'SET b 1'), late.count]).toEqual([['0 a'], 1]);
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
    expect(late.end(REQUEST)).toEqual([kept[0]]);
  });

  test('when the command it meets was left out: it stands in the batch still', () => {
    const { late, write, echo } = setup();
    late.decided(batchOf(5, 'SET a 1'));
    write('a', 2);
    expect(echo(5, 1)).toEqual(['0 a']);
  });

  test('when the key is only read by the batch: what is made of it is asked for', () => {
    const { late, write, echo } = setup();
    late.decided(batchOf(5, 'COPY source target'));
    write('source', 1);
    expect(echo(5, 0, 'COPY source target')).toEqual(['0 target']);
  });

  test('when the key is made of one that is asked for', () => {
    const { late, write, echo } = setup();
    const lines = ['SET source 1', 'COPY source target'];
    late.decided(batchOf(5, ...lines));
    write('source', 1);
    expect(echo(6, 0, ...lines)).toEqual(['0 source', '0 target']);
  });

  test('perhaps, when the window has let go of what was written since: then every key is asked for', () => {
    const { late, write, echo } = setup(2);
    late.decided(batchOf(5, 'SET a 1'));
    for (let sequence = 1; sequence <= 5; sequence++) write('x', sequence);
    expect(echo(5, 1, 'SET a 1')).toEqual(['0 a']);
  });
});

describe('a local write is not late', () => {
  test('when it had been decided against, or is on another key', () => {
    const { late, write, echo } = setup();
    write('a', 1);
    late.decided(batchOf(5, 'SET a 1'));
    write('c', 2);
    expect(echo(5, 1, 'SET a 1')).toEqual([]);
  });

  test('when the order makes no difference', () => {
    const { late, write, echo } = setup();
    late.decided(batchOf(5, 'INCR a', 'PFADD b x', 'INCR c'));
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
  late.decided({ ...batchOf(6, 'SET a 2'), seen: REQUEST });
  write('a', REQUEST + 1);
  expect(echo(6, REQUEST, 'SET a 2')).toEqual(['0 a']);
});

test('nothing is watched while nothing was written since the decision', () => {
  const { late, write } = setup();
  write('a', 1);
  late.decided(batchOf(5, 'SET a 1'));
  late.applied(5, 1, () => []);
  expect(late.isWatching).toBe(false);
});

test('what was decided and has not come round is counted: more than 16 MiB of it holds up what follows', () => {
  const { late, echo } = setup();
  const large = `SET a ${'x'.repeat(6 * 1024 * 1024)}`;
  for (const first of [1, 2, 3]) {
    expect(late.isFull).toBe(false);
    late.decided(batchOf(first, large));
    // Decided anew, it counts once.
    late.decided(batchOf(first, large));
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
  late.decided(batchOf(5, 'RPUSH a x', 'SET b 1'), { removed: new Set(), awaited });
  write('a', 2);
  write('b', 3);
  expect([echo(6, 1, 'RPUSH a x', 'SET b 1'), told > 0]).toEqual([['0 b'], true]);
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
