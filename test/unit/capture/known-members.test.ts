import { describe, expect, test } from 'vitest';
import { KnownMembers, scoreOf } from '../../../src/capture/known-members.js';
import { Random } from '../../support/model/random.js';
import { Store } from '../../support/model/redis/store.js';

const buffers = (words: readonly string[]): Buffer[] => words.map((word) => Buffer.from(word));

/** Members of the sorted set `k`, the one that `ZPOPMIN` takes first in front. */
function ordered(store: Store): { name: string; score: number }[] {
  const set = store.read('k', 'zset');
  return [...((set || undefined)?.cells ?? [])]
    .map(([name, score]) => ({ name, score: Number(score) }))
    .toSorted((a, b) => (a.score === b.score ? (a.name < b.name ? -1 : 1) : a.score < b.score ? -1 : 1));
}

function command(random: Random): string[] {
  const member = `m${random.below(30)}`;
  const score = random.pick(['-Infinity', '-1.5', '0', '1', '2', '2e3', 'Infinity']);
  switch (random.below(10)) {
    case 0:
      return ['ZREM', 'k', member, `m${random.below(30)}`];
    case 1:
      return ['ZINCRBY', 'k', random.pick(['1', '-2', '0.25']), member];
    case 2:
      return ['ZADD', 'k', random.pick(['NX', 'XX', 'GT', 'LT']), score, member];
    case 3:
    case 4:
      return [random.pick(['ZPOPMIN', 'ZPOPMAX']), 'k', String(1 + random.below(3))];
    case 5:
      return ['ZPOPMIN', 'k'];
    default:
      return ['ZADD', 'k', score, member, random.pick(['1', '3']), `m${random.below(30)}`];
  }
}

test('what is said to be popped is what is popped, and all of it is known where all members are', () => {
  let [told, asked] = [0, 0];
  for (let seed = 1; seed <= 300; seed++) {
    const random = new Random(seed);
    const store = new Store();
    for (let i = random.below(40); i > 0; i--)
      store.run(['ZADD', 'k', String(random.below(6)), `m${random.below(30)}`]);
    const end = random.pick(['lowest', 'highest'] as const);
    const all = end === 'lowest' ? ordered(store) : ordered(store).toReversed();
    const count = random.chance(0.5) ? all.length : Math.ceil(all.length / 2);
    const isWhole = count === all.length;
    const known = new KnownMembers({ end, members: all.slice(0, count), isWhole });
    for (let step = 0; step < 60; step++) {
      const argv = command(random);
      const before = ordered(store);
      if (!store.run(argv)) continue;
      const isPop = argv[0]!.startsWith('ZPOP');
      if (!isPop && known.run(argv[0]!, buffers(argv))) continue;
      if (!isPop) break;
      asked++;
      const taken = known.pop(argv[0]!, buffers(argv));
      expect(taken !== undefined || !isWhole).toBe(true);
      if (taken === undefined) break;
      told++;
      const there = argv[0] === 'ZPOPMIN' ? before : before.toReversed();
      expect(taken).toEqual(there.slice(0, Number(argv[2] ?? 1)).map(({ name }) => name));
    }
  }
  expect(asked).toBeGreaterThan(told);
  expect(told).toBeGreaterThan(1000);
});

describe('of a large set', () => {
  test('no more members are kept than can be, and those nearest the end are', () => {
    const known = new KnownMembers({ end: 'lowest', members: [], isWhole: true });
    for (let i = 9999; i >= 0; i--) known.run('ZADD', buffers(['ZADD', 'k', String(i), `m${i}`]));
    expect(known.bytes).toBeLessThan(512 * 1024);
    for (let i = 0; i < 900; i++) expect(known.pop('ZPOPMIN', buffers(['ZPOPMIN', 'k']))).toEqual([`m${i}`]);
    expect(known.pop('ZPOPMAX', buffers(['ZPOPMAX', 'k']))).toBeUndefined();
  });

  test('it is said before none is known any more', () => {
    const members = Array.from({ length: 1000 }, (_, i) => ({ name: `m${i}`, score: i }));
    const known = new KnownMembers({ end: 'lowest', members, isWhole: false });
    known.pop('ZPOPMIN', buffers(['ZPOPMIN', 'k', '500']));
    expect(known.isShort).toBe(false);
    known.pop('ZPOPMIN', buffers(['ZPOPMIN', 'k']));
    expect(known.isShort).toBe(true);
    expect(known.pop('ZPOPMIN', buffers(['ZPOPMIN', 'k', '500']))).toBeUndefined();
  });
});

test.each([
  ['1', 1],
  ['-1.5e-3', -0.0015],
  ['.5', 0.5],
  ['+inf', Infinity],
  ['-Infinity', -Infinity],
  ['0x10', NaN],
  ['', NaN],
  ['1_0', NaN],
])('the score %s is %d', (word, score) => expect(scoreOf(Buffer.from(word))).toBe(score));
