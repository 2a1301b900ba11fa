import { expect, test } from 'vitest';
import { ListMemory } from '../../../src/conflicts/list-memory.js';
import type { KnownPlaces, Place } from '../../../src/conflicts/rules/list-places.js';

const PLACE: Place = { count: 1, born: 0, gone: 0, isHole: false, set: undefined };

function places(count: number, upTo = 50): KnownPlaces {
  return { upTo, seen: 1, places: Array.from({ length: count }, () => PLACE) };
}

test('what the peer has seen, and what a decision no longer knows, is forgotten without a doubt', () => {
  const memory = new ListMemory(7, undefined);
  memory.beginBehind(30);
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
  expect([
    memory.isDoubtful({ sequence: 30, seen: 6 }),
    memory.isDoubtful({ sequence: 30, seen: 7 }),
  ]).toEqual([true, false]);
});

test.each([
  ['lists', 10_001, 1],
  ['places', 101, 1000],
])(
  'with too many %s the one longest untouched is forgotten, and what was written before then is doubted',
  (_, lists, each) => {
    const memory = new ListMemory(0, 0);
    for (let at = 0; at < lists; at++) {
      expect(memory.isDoubtful({ sequence: 1, seen: 1 })).toBe(false);
      memory.commit(new Map([[`list:${at}`, places(each)]]), { applied: 100 + at, decided: 50 });
      // Touched again: not the oldest any more.
      if (at === 1) memory.commit(new Map([['list:0', places(each)]]), { applied: 100 + at, decided: 50 });
    }
    expect(
      [memory.get('list:0', 0), memory.get('list:1', 0), memory.get('list:2', 0)].map((one) => one?.upTo),
    ).toEqual([50, undefined, 50]);
    const newest = 100 + lists - 1;
    expect([
      memory.isDoubtful({ sequence: 50, seen: newest - 1 }),
      memory.isDoubtful({ sequence: 50, seen: newest }),
    ]).toEqual([true, false]);
  },
);

test('a list of more places than may be remembered is doubted at once', () => {
  const memory = new ListMemory(0, 0);
  memory.commit(new Map([['long', places(100_001)]]), { applied: 9, decided: 50 });
  expect([memory.get('long', 0), memory.isDoubtful({ sequence: 50, seen: 8 })]).toEqual([undefined, true]);
});

test('a process that begins doubts what places were about, as Redis has it, and nothing that was written since', () => {
  const memory = new ListMemory(7, 20);
  memory.beginBehind(30);
  expect(memory.notedThrough).toBe(20);
  expect([20, 21].map((sequence) => memory.isDoubtful({ sequence, seen: 6 }))).toEqual([true, false]);
  memory.note(
    new Map([
      ['a', places(1, 25)],
      ['b', undefined],
    ]),
  );
  expect(memory.notedThrough).toBe(25);
  memory.doubt('c', 28);
  memory.doubt('d', 27);
  expect(memory.notedThrough).toBe(28);
  // The process itself remembers what it has noted.
  expect(memory.isDoubtful({ sequence: 25, seen: 6 })).toBe(false);
});

test('where Redis does not have it, all that was written before is doubted, unless nothing of the peer was ever applied', () => {
  const memory = new ListMemory(7, undefined);
  memory.doubt('a', 9);
  expect(memory.notedThrough).toBeUndefined();
  memory.beginBehind(30);
  expect(memory.notedThrough).toBe(30);
  expect([30, 31].map((sequence) => memory.isDoubtful({ sequence, seen: 6 }))).toEqual([true, false]);
  const first = new ListMemory(0, undefined);
  first.beginBehind(30);
  expect([first.notedThrough, first.doubtedThrough]).toEqual([0, 0]);
});
