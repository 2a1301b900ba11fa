import { expect, test } from 'vitest';
import { ListMemory } from '../../../src/conflicts/list-memory.js';
import type { KnownPlaces, Place } from '../../../src/conflicts/rules/list-places.js';

const PLACE: Place = { count: 1, born: 0, gone: 0, isHole: false, set: undefined };

function places(count: number, upTo = 50): KnownPlaces {
  return { upTo, seen: 1, places: Array.from({ length: count }, () => PLACE) };
}

test('what the peer has seen, and what a decision no longer knows, is forgotten without a doubt', () => {
  const memory = new ListMemory(7);
  memory.commit(
    new Map([
      ['a', places(2)],
      ['b', places(2, 60)],
    ]),
    { applied: 20, decided: 60 },
  );
  memory.commit(new Map([['c', undefined]]), { applied: 21, decided: 60 });
  memory.advance(50);
  expect([memory.get('a', 0), memory.get('b', 0)?.upTo, memory.get('b', 60)]).toEqual([
    undefined,
    60,
    undefined,
  ]);
  expect([memory.isDoubtful({ seen: 6 }), memory.isDoubtful({ seen: 7 })]).toEqual([true, false]);
});

test.each([
  ['lists', 10_001, 1],
  ['places', 101, 1000],
])(
  'with too many %s the one longest untouched is forgotten, and what was written before then is doubted',
  (_, lists, each) => {
    const memory = new ListMemory(0);
    for (let at = 0; at < lists; at++) {
      expect(memory.isDoubtful({ seen: 1 })).toBe(false);
      memory.commit(new Map([[`list:${at}`, places(each)]]), { applied: 100 + at, decided: 50 });
      // Touched again: not the oldest any more.
      if (at === 1) memory.commit(new Map([['list:0', places(each)]]), { applied: 100 + at, decided: 50 });
    }
    expect(
      [memory.get('list:0', 0), memory.get('list:1', 0), memory.get('list:2', 0)].map((one) => one?.upTo),
    ).toEqual([50, undefined, 50]);
    const newest = 100 + lists - 1;
    expect([memory.isDoubtful({ seen: newest - 1 }), memory.isDoubtful({ seen: newest })]).toEqual([
      true,
      false,
    ]);
  },
);

test('a list of more places than may be remembered is doubted at once', () => {
  const memory = new ListMemory(0);
  memory.commit(new Map([['long', places(100_001)]]), { applied: 9, decided: 50 });
  expect([memory.get('long', 0), memory.isDoubtful({ seen: 8 })]).toEqual([undefined, true]);
});
