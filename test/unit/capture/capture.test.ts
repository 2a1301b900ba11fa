import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decodeBatch } from '../../../src/protocol/batch.js';
import { encodeCommand } from '../../../src/redis-commands/encode-command.js';
import { cut, cuts, pieces, resp } from '../redis-commands/chunks.js';
import { BEGINNING, captured, changesOf } from './captured.js';
import { KEYS, stories, tell, type Event, type Told } from './stream-story.js';

/** Limits small enough that batches are cut for every reason. */
const limits = fc.record({
  batchBytes: fc.constantFrom(1, 200, 65_536),
  batchCommands: fc.constantFrom(1, 3, 512),
});
/** Behind which chunks the timer goes off. */
const ticks = fc.array(fc.boolean(), { minLength: 1, maxLength: 7 });

function single(database: number, ...words: string[]): Event {
  return { kind: 'single', command: { database, words } };
}

function told(database: number, ...words: string[]): Told {
  return { database, words };
}

describe('the changes of a stream', () => {
  test('are the application’s, whole, in order and numbered without a gap, however the stream is cut and batched', () => {
    fc.assert(
      fc.property(stories(), cuts, limits, ticks, (story, shares, sizes, cutsBehind) => {
        const { batches, capture, heard } = captured(cut(story.stream, shares), {
          ...sizes,
          afterChunk: (i, running) => {
            if (cutsBehind[i % cutsBehind.length]!) running.cut();
          },
        });
        expect(changesOf(batches)).toEqual(story.changes);
        expect(capture.nextSequence).toBe(story.changes.length + 1);
        expect(capture.position.offset).toBe(BEGINNING.offset + story.stream.length);
        // A pop whose member is not known asks for the members of its set.
        expect(heard.filter((one) => !one.startsWith('popped '))).toEqual(story.heard);
      }),
      { numRuns: 250 },
    );
  });

  test('that one write of Tandem’s own key holds are one change, and none where it holds anything else', () => {
    const state = (key: string): Buffer => encodeCommand(['TANDEM.STATE', 0, key, 0, 0, 'east', 0, -1, 'x']);
    const written = (...values: Buffer[]): Buffer => encodeCommand(['SET', KEYS.out, Buffer.concat(values)]);
    const other = encodeCommand(['SET', 'a', '1']);
    const stream = Buffer.concat([
      resp('SELECT 0'),
      written(state('a'), state('b')),
      written(state('c'), other),
      written(state('d'), Buffer.from('*1')),
      written(state('e')),
    ]);
    const { batches, skipped } = captured([stream]);
    const sent = changesOf(batches).map(({ commands }) => commands.map((one) => one.split('\r\n')[6]));
    expect(sent).toEqual([['a', 'b'], ['e']]);
    expect(skipped).toEqual(['not-ours SET', 'not-ours SET']);
  });

  test('that are too large are left out whole and told once; those around them are numbered as if they had not been', () => {
    const large = `SET large ${'x'.repeat(300)}`;
    const stream = resp(
      'SELECT 0',
      'SET a 1',
      large,
      'SET b 1',
      'MULTI',
      'SET c 1',
      `SET d ${'y'.repeat(150)}`,
      `SET e ${'y'.repeat(150)}`,
      large,
      'SET f 1',
      'EXEC',
      'MULTI',
      'SET g 1',
      'SELECT 3',
      'SET h 1',
      'EXEC',
      'SET i 1',
    );
    for (const chunk of [stream.length, 7]) {
      const { batches, capture, heard } = captured(pieces(stream, chunk), { maxChangeBytes: 250 });
      const inDatabase = (database: number, line: string): string => `${database} ${resp(line).toString()}`;
      expect(changesOf(batches).map(({ commands }) => commands)).toEqual([
        [inDatabase(0, 'SET a 1')],
        [inDatabase(0, 'SET b 1')],
        [inDatabase(0, 'SET g 1'), inDatabase(3, 'SET h 1')],
        [inDatabase(3, 'SET i 1')],
      ]);
      expect(heard.map((line) => line.split(' ').slice(0, 2).join(' '))).toEqual(['too large', 'too large']);
      expect(capture.nextSequence).toBe(5);
      expect(capture.position.offset).toBe(BEGINNING.offset + stream.length);
    }
  });

  test('are the same after a restart from the position of any batch', () => {
    fc.assert(
      fc.property(stories(), cuts, limits, fc.nat(), (story, shares, sizes, at) => {
        const { batches } = captured(cut(story.stream, shares), sizes);
        fc.pre(batches.length > 0);
        const kept = batches.slice(0, 1 + (at % batches.length));
        const { position, first, changes } = kept.at(-1)!;
        const again = captured([Buffer.from(story.stream.subarray(position.offset - BEGINNING.offset))], {
          position,
          nextSequence: first + changes,
        });
        expect([...changesOf(kept), ...changesOf(again.batches, first + changes)]).toEqual(story.changes);
      }),
      { numRuns: 200 },
    );
  });

  test('are the same after a restart from any position reached while nothing was gathered', () => {
    fc.assert(
      fc.property(stories(12), fc.integer({ min: 1, max: 60 }), (story, size) => {
        const chunks = pieces(story.stream, size);
        captured(chunks, {
          afterChunk: (_, running) => {
            running.cut();
            const { position, nextSequence } = running;
            const rest = Buffer.from(story.stream.subarray(position.offset - BEGINNING.offset));
            const again = captured([rest], { position, nextSequence });
            expect(changesOf(again.batches, nextSequence)).toEqual(story.changes.slice(nextSequence - 1));
          },
        });
      }),
      { numRuns: 50 },
    );
  });

  test('come with strictly rising timestamps, batch by batch', () => {
    fc.assert(
      fc.property(stories(), limits, (story, sizes) => {
        const { batches } = captured([Buffer.from(story.stream)], sizes);
        const timestamps = batches.map((batch) => batch.timestamp);
        expect(timestamps).toEqual([...new Set(timestamps)].toSorted((a, b) => a - b));
        for (const batch of batches) expect(decodeBatch(batch.bytes).timestamp).toBe(batch.timestamp);
      }),
    );
  });
});

describe('an echo', () => {
  test('moves seen for what stands behind it and for nothing before', () => {
    const story = tell([
      single(0, 'SET', 'a', '1'),
      { kind: 'echo', advance: 4, commands: [told(2, 'SET', 'b', '1')], made: [] },
      single(0, 'SET', 'a', '2'),
      { kind: 'marker', advance: 1 },
      single(0, 'SET', 'a', '3'),
    ]);
    const { batches } = captured([story.stream]);
    expect(batches.map((batch) => [batch.first, decodeBatch(batch.bytes).seen, batch.position.seen])).toEqual(
      [
        [1, 0, 0],
        [2, 4, 4],
        [3, 5, 5],
      ],
    );
    expect(decodeBatch(batches[1]!.bytes).seenEpoch).toBe(2);
  });

  test('is read again after a restart that was saved in front of it', () => {
    const { stream } = tell([single(0, 'INCR', 'a'), { kind: 'echo', advance: 4, commands: [], made: [] }]);
    const [batch] = captured([Buffer.from(stream)]).batches;
    const rest = stream.subarray(batch!.position.offset - BEGINNING.offset);
    expect(captured([rest], { position: batch!.position, nextSequence: 2 }).heard).toEqual(['applied 4 1']);
  });

  test('that is cut in the middle does not let its own changes be numbered twice', () => {
    const made = '*5\r\n$11\r\nTANDEM.NEED\r\n$1\r\n5\r\n$1\r\n0\r\n$1\r\n0\r\n$1\r\nk\r\n';
    const { stream, changes } = tell([{ kind: 'echo', advance: 1, commands: [], made: [made] }]);
    for (let at = 1; at < stream.length; at++) {
      const { batches, capture } = captured([Buffer.from(stream.subarray(0, at))]);
      const rest = Buffer.from(stream.subarray(capture.position.offset - BEGINNING.offset));
      const again = captured([rest], { position: capture.position, nextSequence: capture.nextSequence });
      expect([...changesOf(batches), ...changesOf(again.batches, capture.nextSequence)]).toEqual(changes);
    }
  });

  test('begins with its marker: behind another command the marker moves seen, and the rest are changes', () => {
    const marker = `HSET ${KEYS.applied} epoch 2 n 6 decided 0`;
    const stream = resp('SELECT 0', 'MULTI', `DEL ${KEYS.applied}`, marker, 'SET a 1', 'EXEC');
    const { batches } = captured([stream]);
    expect(changesOf(batches)).toEqual([{ commands: [`0 ${resp('SET a 1').toString()}`], seen: 6 }]);
  });

  test('sends a mark behind all that it causes, wherever the mark stands in it', () => {
    const mark = '*5\r\n$11\r\nTANDEM.MARK\r\n$1\r\ns\r\n$1\r\n1\r\n$1\r\n-\r\n$1\r\n-\r\n';
    const need = '*5\r\n$11\r\nTANDEM.NEED\r\n$1\r\n5\r\n$1\r\n0\r\n$1\r\n0\r\n$1\r\nk\r\n';
    const { stream } = tell([{ kind: 'echo', advance: 1, commands: [], made: [mark, need] }]);
    const { batches } = captured([stream]);
    expect(changesOf(batches)).toEqual([{ commands: [`0 ${need}`, `0 ${mark}`], seen: 1 }]);
  });

  test('tells the deadline that a key has at its end, once, and in the key’s database', () => {
    const doubt = (key: string): string => `*3\r\n$15\r\nTANDEM.DEADLINE\r\n$1\r\n2\r\n$1\r\n${key}\r\n`;
    const far = 4_000_000_000_000;
    const story = tell([
      single(2, 'PEXPIREAT', 'k', String(far)),
      single(2, 'PEXPIREAT', 'gone', String(far)),
      {
        kind: 'echo',
        advance: 1,
        commands: [told(2, 'PEXPIREAT', 'k', String(far + 1)), told(2, 'DEL', 'gone')],
        made: [doubt('k'), doubt('k'), doubt('x'), doubt('gone').replace('$1\r\ngone', '$4\r\ngone')],
      },
      { kind: 'echo', advance: 1, commands: [], made: [] },
    ]);
    const { batches } = captured([story.stream]);
    const sent = changesOf(batches).flatMap(({ commands }) => commands);
    expect(sent.slice(2)).toEqual([`2 ${resp(`PEXPIREAT k ${far + 1}`).toString()}`]);
  });

  test('hides a whole database being emptied by the peer', () => {
    const flush = { kind: 'echo', advance: 1, commands: [told(0, 'FLUSHDB')], made: [] } as const;
    expect(captured([tell([flush]).stream]).heard).toEqual(['applied 1 0']);
  });
});

describe('a group', () => {
  test('that only touches internal keys is no change', () => {
    const { stream } = tell([{ kind: 'group', commands: [], selectsInside: true }]);
    const { batches, capture } = captured([stream]);
    expect([batches.length, capture.nextSequence]).toEqual([0, 1]);
  });

  test('stays one change, larger than a batch may be', () => {
    const commands = Array.from({ length: 100 }, (_, i) => told(i % 3, 'SET', `k${i}`, 'x'.repeat(50)));
    const story = tell([single(0, 'INCR', 'a'), { kind: 'group', commands, selectsInside: true }]);
    const { batches } = captured(pieces(story.stream, 100), {
      batchBytes: 500,
      afterChunk: (_, running) => running.cut(),
    });
    expect(changesOf(batches)).toEqual(story.changes);
    expect(batches).toHaveLength(2);
  });
});

describe('a limit of a batch', () => {
  test('in commands cuts it there', () => {
    const story = tell(Array.from({ length: 10 }, () => single(0, 'INCR', 'a')));
    const { batches } = captured([story.stream], { batchCommands: 5 });
    // The SELECT in front counts too.
    expect(batches.map((batch) => batch.changes)).toEqual([4, 4, 2]);
  });

  test('in bytes cuts it behind the change that reaches it', () => {
    const story = tell(Array.from({ length: 6 }, () => single(0, 'SET', 'a', 'x'.repeat(90))));
    const { batches } = captured([story.stream], { batchBytes: 300 });
    expect(batches.map((batch) => batch.changes)).toEqual([3, 3]);
  });
});

describe('what stays here', () => {
  test.each<[string, string[], object]>([
    ['filtered SET', ['SET', 'secret', '1'], { filter: { keysExclude: ['secret'] } }],
    ['filtered SET', ['SET', 'a', '1'], { filter: { databases: [5] } }],
    ['filtered INCR', ['incr', 'a'], { filter: { commandsExclude: ['incr'] } }],
    [
      'filtered XGROUP CREATE',
      ['XGROUP', 'CREATE', 'a', 'g', '0'],
      { filter: { commandsExclude: ['xgroup'] } },
    ],
    ['split-by-filter MSET', ['MSET', 'a', '1', 'secret', '2'], { filter: { keysExclude: ['secret'] } }],
    ['split-by-filter MOVE', ['MOVE', 'a', '5'], { filter: { databases: [0] } }],
    ['split-by-filter SUNIONSTORE', ['SUNIONSTORE', 'a', 'secret'], { filter: { keysExclude: ['secret'] } }],
    ['publish-off PUBLISH', ['PUBLISH', 'news', 'x'], { publish: false }],
    ['publish-off PUBLISH', ['PUBLISH', 'news', 'x'], { filter: { channelsExclude: ['n*'] } }],
    ['functions-off FUNCTION LOAD', ['FUNCTION', 'LOAD', 'code'], { functions: false }],
    ['flush-ignored FLUSHALL', ['FLUSHALL'], {}],
    ['filtered FLUSHDB', ['FLUSHDB'], { flush: 'replicate', filter: { keysExclude: ['secret'] } }],
    ['filtered FLUSHALL', ['FLUSHALL'], { flush: 'replicate', filter: { databases: [0] } }],
    ['split-by-filter SWAPDB', ['SWAPDB', '0', '1'], { filter: { databases: [0] } }],
    ['filtered SWAPDB', ['SWAPDB', '0', '1'], { filter: { keysExclude: ['secret'] } }],
    ['own-key-in-command RENAME', ['RENAME', 'a', `${KEYS.prefix}a`], {}],
    ['own-key-in-command DEL', ['DEL', KEYS.inbox, 'a'], {}],
    ['own-key-in-command COPY', ['COPY', KEYS.state, 'a'], {}],
    ['own-key-in-command BITOP', ['BITOP', 'NOT', KEYS.state, 'a'], {}],
  ])('is counted: %s', (expected, words, options) => {
    const { batches, skipped, writes } = captured([tell([single(0, ...words)]).stream], options);
    expect({ batches, skipped, writes }).toEqual({ batches: [], skipped: [expected], writes: [] });
  });

  test('in a group leaves the rest of the group', () => {
    const commands = [told(0, 'SET', 'a', '1'), told(0, 'SET', 'secret', '1'), told(0, 'SET', 'b', '1')];
    const { stream } = tell([{ kind: 'group', commands, selectsInside: false }]);
    const { batches } = captured([stream], { filter: { keysExclude: ['secret'] } });
    expect(changesOf(batches)[0]!.commands.map((command) => command.includes('secret'))).toEqual([
      false,
      false,
    ]);
    expect(batches[0]!.changes).toBe(1);
  });
});

describe('whole databases', () => {
  test.each<[string[], number, string[]]>([
    [['FLUSHALL'], 3, ['flush 0']],
    [['FLUSHDB'], 0, ['flush 0']],
    [['FLUSHDB'], 3, []],
    [['SWAPDB', '0', '7'], 3, ['swap 0,7']],
    [['SWAPDB', '1', '7'], 0, []],
  ])(
    '%j in database %i: the listener hears %j, and the change is marked as special',
    (words, database, expected) => {
      const { heard, batches } = captured([tell([single(database, ...words)]).stream], {
        flush: 'replicate',
      });
      expect(heard).toEqual(expected);
      expect(decodeBatch(batches[0]!.bytes)).toMatchObject({ changes: 1, special: 1 });
    },
  );

  test('may hold internal keys elsewhere even when the change is not sent', () => {
    expect(captured([tell([single(2, 'FLUSHALL')]).stream]).heard).toEqual(['flush 0']);
  });
});

test('internal keys are internal in whatever database they are', () => {
  const { stream } = tell([
    single(5, 'SET', `${KEYS.prefix}x`, '1'),
    single(5, 'SET', KEYS.prefix.slice(0, -1), '1'),
  ]);
  const { batches } = captured([stream]);
  expect(batches.map(({ changes }) => changes)).toEqual([1]);
});

test('a hash at the marker’s key without a sequence is no marker', () => {
  const { stream } = tell([
    { kind: 'own', words: ['HSET', KEYS.applied, 'errors', '1'] },
    single(0, 'INCR', 'a'),
  ]);
  const { batches, heard } = captured([stream]);
  expect([heard, batches[0]!.position.seen]).toEqual([[], 0]);
});
