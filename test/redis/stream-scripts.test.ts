import { describe, expect, test } from 'vitest';
import { scriptSource } from '../../src/lua/scripts.js';
import { useServer } from '../support/use-server.js';

const { redis } = useServer({ isEmptied: true });

const insert = (...added: string[]): Promise<unknown> =>
  redis.eval(
    scriptSource('insert-entries'),
    1,
    's',
    0,
    ...added.flatMap((id) => [id, 2, 'f', `inserted ${id}`]),
  );

async function ids(): Promise<string[]> {
  return (await redis.xrange('s', '-', '+')).map(([id]) => id);
}

async function add(...added: number[]): Promise<void> {
  const pipeline = redis.pipeline();
  for (const id of added) pipeline.xadd('s', `${id}-0`, 'f', `v${id}`);
  await pipeline.exec();
}

/** How many `XADD`s the server has run. */
async function additions(): Promise<number> {
  return Number(/cmdstat_xadd:calls=(\d+)/.exec(await redis.info('commandstats'))![1]);
}

describe('an entry put at its place below the last one', () => {
  test.each([
    ['before the only one', [90], [35]],
    ['one by one, before the only one', [90], [35, 36, 38]],
    ['in between', [10, 20, 90], [35]],
    ['in the middle of a node', Array.from({ length: 60 }, (_, at) => 10 * at + 10), [275, 276]],
    ['far from the end', Array.from({ length: 450 }, (_, at) => 10 * at + 10), [1505, 1705, 2]],
    ['at the ends of nodes', Array.from({ length: 450 }, (_, at) => 10 * at + 10), [995, 1005, 2005, 1995]],
  ])('%s: a trim by ID takes all that is older', async (_, there, inserted) => {
    const all = [...there, ...inserted].toSorted((a, b) => a - b);
    const held = all.map((id) => `${id}-0`);
    const limits = inserted.flatMap((id) => [id, id + 1, id + 30]);
    for (const limit of limits) {
      await redis.del('s');
      await add(...there);
      for (const id of inserted) await insert(`${id}-0`);
      expect(await ids()).toEqual(held);
      await redis.xtrim('s', 'MINID', limit);
      expect(await ids()).toEqual(all.filter((id) => id >= limit).map((id) => `${id}-0`));
    }
  });

  test('below one that was deleted: a trim by ID takes it', async () => {
    await add(10, 20, 30);
    await redis.xdel('s', '30-0');
    await insert('25-0');
    await add(40);
    await redis.xtrim('s', 'MINID', 28);
    expect(await ids()).toEqual(['40-0']);
  });

  test('leaves the values, the last ID and the counts of a stream as they are', async () => {
    const there = Array.from({ length: 250 }, (_, at) => 10 * at + 10);
    await add(...there);
    await redis.xdel('s', '2500-0');
    await insert('1205-0');
    const entries = await redis.xrange('s', '-', '+');
    expect(entries.map(([id, [, value]]) => `${id} ${value}`)).toEqual(
      there
        .slice(0, -1)
        .flatMap((id) => [`${id}-0 v${id}`, ...(id === 1200 ? ['1205-0 inserted 1205-0'] : [])]),
    );
    const flat = (await redis.xinfo('STREAM', 's')) as unknown[];
    const info = new Map(flat.map((value, at) => [value, flat[at + 1]] as const));
    expect(info.get('last-generated-id')).toBe('2500-0');
    if (info.has('entries-added')) {
      expect(info.get('entries-added')).toBe(251);
      expect(info.get('max-deleted-entry-id')).toBe('2500-0');
    }
  });

  test('takes the others of its node along, and no more of a long stream', async () => {
    await add(...Array.from({ length: 5000 }, (_, at) => 10 * at + 10));
    const before = await additions();
    await insert('49995-0');
    expect((await additions()) - before).toBeLessThan(110);
  });
});

test('a trim of the other site takes off all that is older, though deleted entries with higher IDs stand in between', async () => {
  await add(1, 9);
  await redis.xdel('s', '9-0');
  // As an insert that does not rebuild nodes leaves it.
  const isCounted = ((await redis.xinfo('STREAM', 's')) as unknown[]).includes('entries-added');
  if (isCounted) await redis.call('XSETID', 's', '9-0', 'ENTRIESADDED', '2', 'MAXDELETEDID', '0-1');
  await redis.call('XSETID', 's', '1-0');
  await add(3, 4, 9);
  await redis.eval(scriptSource('trim-stream'), 1, 's', 'MINID', '5', 0, '');
  expect(await ids()).toEqual(['9-0']);
});

describe('a trim by length of the other site', () => {
  const trim = (limit: number, top: string, ...unseen: string[]): Promise<unknown> =>
    redis.eval(scriptSource('trim-stream'), 1, 's', 'MAXLEN', limit, 0, top, ...unseen);

  test('leaves what was added here unseen, and does not count it', async () => {
    await add(1, 2, 3, 4, 5);
    await trim(2, '5-0', '4-0');
    expect(await ids()).toEqual(['3-0', '4-0', '5-0']);
  });

  test('leaves what has slipped in above all that was known, and does not count it either', async () => {
    await add(1, 2, 3, 4, 5, 6);
    await trim(2, '4-0', '4-0');
    expect(await ids()).toEqual(['2-0', '3-0', '4-0', '5-0', '6-0']);
  });

  test('takes nothing where no more is left than it leaves', async () => {
    await add(1, 2, 3);
    await trim(2, '1-0');
    expect(await ids()).toEqual(['1-0', '2-0', '3-0']);
  });
});
