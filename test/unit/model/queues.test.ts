import { describe, expect, test } from 'vitest';
import { queueHistory, type QueueTrouble, type QueueUse } from '../../support/model/queue-history.js';

/** Histories per use and trouble. A search for counter-examples sets it to thousands. */
const HISTORIES = Number(process.env['TANDEM_TEST_HISTORIES'] ?? 150);
const FIRST_SEED = Number(process.env['TANDEM_TEST_SEED'] ?? 1);

const STEADY = { lateWrites: true, restarts: false, states: false };
const RESTARTING = { lateWrites: true, restarts: true, states: false };
const ASKED_FOR = { lateWrites: true, restarts: false, states: true };

/** What went wrong in the first history that did, and how often the sites have asked each other. */
function search(
  use: QueueUse,
  trouble: Omit<QueueTrouble, 'steps'>,
): { fault: string | undefined; needs: number } {
  let needs = 0;
  for (let seed = FIRST_SEED; seed < FIRST_SEED + HISTORIES; seed++) {
    const outcome = queueHistory(seed, use, { ...trouble, steps: 30 + (seed % 60) });
    needs += outcome.needs;
    if (outcome.fault !== undefined) return { fault: `seed ${seed}: ${outcome.fault}`, needs };
  }
  return { fault: undefined, needs };
}

const QUEUE = { push: 'LPUSH', from: 'RIGHT' } as const;
const MIRRORED = { push: 'RPUSH', from: 'LEFT' } as const;

describe('one site fills a queue, the other one empties it: each element is taken once, gone at both', () => {
  const uses: [string, QueueUse][] = [true, false].flatMap((isProducerFirst) =>
    [QUEUE, MIRRORED].flatMap((ends): [string, QueueUse][] => {
      const use = { ...ends, isProducerFirst };
      const side = isProducerFirst ? 'the smaller name fills' : 'the smaller name takes';
      const back = ends.push === 'LPUSH' ? 'RPUSH' : 'LPUSH';
      return [
        [`${ends.push}, pops, ${side}`, { ...use, take: 'pop' }],
        [`${ends.push}, moves to a list of what is worked at, ${side}`, { ...use, take: 'move' }],
        [
          `${ends.push}, pops, what fails is put back where it is taken next, ${side}`,
          { ...use, take: 'pop', retry: back },
        ],
        [
          `${ends.push}, moves, what fails is put back where it is taken next, ${side}`,
          { ...use, take: 'move', retry: back },
        ],
      ];
    }),
  );

  test.each(uses)('without a request or a state, whatever slips in: %s', (_, use) => {
    expect(search(use, STEADY)).toEqual({ fault: undefined, needs: 0 });
  });

  test.each(uses)('without a request or a state, over restarts that forget: %s', (_, use) => {
    expect(search(use, RESTARTING)).toEqual({ fault: undefined, needs: 0 });
  });

  test.each(uses.filter(([, { take }]) => take === 'pop'))(
    'whatever states cross meanwhile: %s',
    (_, use) => {
      expect(search(use, ASKED_FOR).fault).toBeUndefined();
    },
  );

  test.each([
    ['counted pops', { take: 'pop counted' }],
    ['pops of as many as there are', { take: 'pop as many as there are' }],
  ] as const)('%s', (_, { take }) => {
    for (const ends of [QUEUE, MIRRORED])
      for (const trouble of [STEADY, RESTARTING, ASKED_FOR])
        expect(search({ ...ends, take }, trouble).fault).toBeUndefined();
  });

  test('what fails is put back at the end, beside what the other site adds', () => {
    expect(search({ ...QUEUE, take: 'pop', retry: 'LPUSH' }, STEADY).fault).toBeUndefined();
    expect(
      search({ ...QUEUE, take: 'pop', retry: 'LPUSH', isProducerFirst: false }, STEADY).fault,
    ).toBeUndefined();
  });
});

test('a stack that one site fills and the other one empties: each element is taken once', () => {
  for (const trouble of [STEADY, RESTARTING, ASKED_FOR])
    expect(search({ push: 'LPUSH', from: 'LEFT', take: 'pop' }, trouble).fault).toBeUndefined();
});
