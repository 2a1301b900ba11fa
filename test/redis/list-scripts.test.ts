import { describe, expect, test } from 'vitest';
import { scriptSource } from '../../src/lua/scripts.js';
import { useServer } from '../support/use-server.js';

const { redis } = useServer({ isEmptied: true });

const words = (text: string): string[] => text.split(' ').filter((word) => word !== '');

describe('a state of a list on local removals', () => {
  interface Merge {
    readonly theirs: string;
    readonly mine: string;
    readonly taken?: readonly [left: number, right: number, any: number];
    readonly moved?: readonly [left: number, right: number];
    readonly isDoubted?: boolean;
    /** `l a` for a local push of a at the left. */
    readonly put?: string;
  }

  async function merged(
    { theirs, mine, taken = [0, 0, 0], moved = [0, 0], isDoubted = false, put = '' }: Merge,
    form: 'dump' | 'elements' | 'parts',
  ): Promise<string> {
    await redis.flushall();
    if (theirs !== '') await redis.rpush('theirs', ...words(theirs));
    const dump = (await redis.dumpBuffer('theirs')) ?? '';
    if (form !== 'parts') await redis.del('theirs');
    if (mine !== '') await redis.rpush('list', ...words(mine));
    const [value, elements] = [form === 'dump' ? dump : '', form === 'elements' ? words(theirs) : []];
    const keys = ['list', 'scratch', ...(form === 'parts' ? ['theirs'] : [])];
    const args = [
      value,
      ...taken,
      ...moved,
      isDoubted ? 1 : 0,
      words(put).length,
      ...words(put),
      ...elements,
    ];
    await redis.eval(scriptSource('merge-list'), keys.length, ...keys, ...(args as string[]));
    expect(await redis.exists('scratch', 'theirs')).toBe(0);
    return (await redis.lrange('list', 0, -1)).join(' ');
  }

  test.each<[string, Merge, string]>([
    ['keeps off what was popped here', { theirs: 'c b a', mine: 'c', taken: [0, 2, 0] }, 'c'],
    [
      'takes off no more than local pops can have taken',
      { theirs: 'c b a', mine: 'c', taken: [0, 1, 0] },
      'c b',
    ],
    ['goes by count where elements are equal', { theirs: 'x x x', mine: 'x', taken: [0, 2, 0] }, 'x'],
    [
      'keeps local pushes that are still here',
      { theirs: 'b a', mine: 'c b', taken: [0, 1, 0], put: 'l c' },
      'c b',
    ],
    [
      'and not one that was popped again',
      { theirs: 'b a', mine: 'b a', taken: [1, 0, 0], put: 'l c' },
      'b a',
    ],
    [
      'puts back where it was put what was taken and put back',
      { theirs: 'b a', mine: 'a b', taken: [0, 1, 0], put: 'l a' },
      'a b',
    ],
    ['takes off what the other site has', { theirs: 'b', mine: 'c b a', taken: [0, 1, 0] }, 'b'],
    ['keeps what a move has put in, which nobody knows', { theirs: 'b', mine: 'm b', moved: [1, 0] }, 'm b'],
    ['leaves nothing of what was all taken here', { theirs: 'b a', mine: '', taken: [0, 0, -1] }, ''],
    [
      'and nothing where the other site has none, but local pushes',
      { theirs: '', mine: 'c a', taken: [0, 1, 0], put: 'l c' },
      'c',
    ],
    [
      'is taken whole, local pushes with it, where something may be missing by mistake',
      { theirs: 'b a', mine: '', taken: [0, 2, 0], put: 'l c', isDoubted: true },
      'c b a',
    ],
  ])('%s', async (_, merge, expected) => {
    for (const form of ['dump', 'elements', 'parts'] as const)
      expect(await merged(merge, form)).toBe(expected);
  });

  test('leaves another type alone', async () => {
    await redis.set('list', 'text');
    expect(await redis.eval(scriptSource('merge-list'), 2, 'list', 'scratch', '', 0, 0, 0, 0, 0, 0, 0)).toBe(
      -1,
    );
    expect(await redis.get('list')).toBe('text');
  });
});

describe('a move by places', () => {
  test.each([
    [0, 0, 'b c', 'a x y'],
    [2, 2, 'a b', 'x y c'],
    [1, 1, 'a c', 'x b y'],
  ])('from %s to %s', async (from, to, left, right) => {
    await redis.rpush('one', 'a', 'b', 'c');
    await redis.rpush('two', 'x', 'y');
    expect(await redis.eval(scriptSource('move-element'), 2, 'one', 'two', from, to)).toBe(1);
    expect([await redis.lrange('one', 0, -1), await redis.lrange('two', 0, -1)]).toEqual([
      words(left),
      words(right),
    ]);
  });

  test('the last of a list makes another one, and takes nothing from what is no list', async () => {
    await redis.rpush('one', 'a');
    expect(await redis.eval(scriptSource('move-element'), 2, 'one', 'two', 0, 0)).toBe(1);
    expect([await redis.exists('one'), await redis.lrange('two', 0, -1)]).toEqual([0, ['a']]);
    await redis.set('text', 'x');
    expect(await redis.eval(scriptSource('move-element'), 2, 'two', 'text', 0, 0)).toBe(0);
    expect(await redis.eval(scriptSource('move-element'), 2, 'two', 'one', 5, 0)).toBe(0);
    expect([await redis.lrange('two', 0, -1), await redis.get('text')]).toEqual([['a'], 'x']);
  });
});
