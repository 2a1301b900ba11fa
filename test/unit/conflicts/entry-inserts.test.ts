import { expect, test } from 'vitest';
import { EntryInserts, type PlacedEntry } from '../../../src/conflicts/stream-entries.js';
import { Random } from '../../support/model/random.js';

const key = { database: 0, key: Buffer.from('s') };

function entry(id: number, limit = Infinity, request?: Buffer): PlacedEntry {
  return { key, mode: 2, arguments: [`${id}-0`, 2, 'f', 'v'], limit, request };
}

function gathered(entries: readonly PlacedEntry[]): EntryInserts {
  const all = new EntryInserts(entries[0]!, {
    out: 'out',
    onEntries: { trimTo: (_, strategy, limit) => [strategy, limit] },
  });
  for (const one of entries) all.add(one);
  return all;
}

test('all entries of a stream go in with one script, and nothing is asked or trimmed where nothing says so', () => {
  const all = gathered([entry(3), entry(5)]);
  expect(all.insertion.slice(2)).toEqual([1, key.key, 2, '3-0', 2, 'f', 'v', '5-0', 2, 'f', 'v']);
  expect([all.question, all.trim]).toEqual([undefined, undefined]);
});

test('the lowest of them asks where the stream was trimmed here', () => {
  const request = Buffer.from('need');
  expect(gathered([entry(5, Infinity, request), entry(3, Infinity, request)]).question?.slice(2)).toEqual([
    1,
    'out',
    key.key,
    '3-0',
    request,
  ]);
});

test('one trim behind all of them leaves what a trim behind each would have left', () => {
  for (let seed = 1; seed <= 2000; seed++) {
    const random = new Random(seed);
    let stream = Array.from({ length: random.below(8) }, (_, at) => at + 1);
    const before = stream;
    const entries = Array.from({ length: 1 + random.below(6) }, (_, at) =>
      entry(100 + at, random.below(2) === 0 ? Infinity : random.below(9)),
    );
    for (const [at, { limit }] of entries.entries()) {
      stream = [...stream, 100 + at];
      if (limit !== Infinity) stream = stream.slice(Math.max(0, stream.length - limit));
    }
    const { trim } = gathered(entries);
    const together = [...before, ...entries.map((_, at) => 100 + at)];
    const left =
      trim === undefined ? together : together.slice(Math.max(0, together.length - Number(trim[1])));
    expect(left).toEqual(stream);
  }
});
