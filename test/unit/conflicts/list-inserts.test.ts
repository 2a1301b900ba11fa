import { expect, test } from 'vitest';
import { ListInserts } from '../../../src/conflicts/list-inserts.js';
import type { Insert } from '../../../src/conflicts/rules/rule-context.js';

/** What `splice-list.lua` makes of a list. */
function spliced(list: readonly string[], edits: ListInserts['edits']): string[] {
  const result = [...list];
  for (let i = 0; i < edits.length;) {
    const [, at, count] = edits.slice(i, i + 3) as [string, number, number];
    result.splice(at, 0, ...(edits.slice(i + 3, i + 3 + count) as string[]));
    i += 3 + count;
  }
  return result;
}

test('elements that are gathered come to stand where they would one by one', () => {
  let seed = 7;
  const random = (below: number): number => {
    seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0;
    return (seed >>> 8) % below;
  };
  for (let round = 0; round < 2000; round++) {
    const list = Array.from({ length: random(5) }, (_, i) => `old ${i}`);
    const [oneByOne, inserts] = [[...list], new ListInserts()];
    for (let i = 0; i < 1 + random(8); i++) {
      const values = Array.from({ length: 1 + random(3) }, (_, at) => `${i} ${at}`);
      const insert: Insert = { at: random(oneByOne.length + 1), values };
      oneByOne.splice(insert.at, 0, ...values);
      inserts.add(insert);
    }
    expect(spliced(list, inserts.edits), `round ${round}`).toEqual(oneByOne);
  }
});

test('what goes beside each other is one edit', () => {
  const inserts = new ListInserts();
  inserts.add({ at: 3, values: ['a'] });
  inserts.add({ at: 4, values: ['b', 'c'] });
  inserts.add({ at: 3, values: ['z'] });
  expect(inserts.edits).toEqual(['insert', 3, 4, 'z', 'a', 'b', 'c']);
  expect(inserts.count).toBe(4);
});

test('hundreds of thousands of elements are put among others', () => {
  const values = Array.from({ length: 300_000 }, (_, at) => String(at));
  const inserts = new ListInserts();
  inserts.add({ at: 0, values: ['first', 'last'] });
  inserts.add({ at: 1, values });
  expect(inserts.edits.length).toBe(300_005);
});
