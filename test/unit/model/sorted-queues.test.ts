import { expect, test } from 'vitest';
import { sortedQueueHistory, type SortedQueueUse } from '../../support/model/sorted-queue-history.js';

/** Histories per use and trouble. A search for counter-examples sets it to thousands. */
const HISTORIES = Number(process.env['TANDEM_TEST_HISTORIES'] ?? 150);
const FIRST_SEED = Number(process.env['TANDEM_TEST_SEED'] ?? 1);

const STEADY = { lateWrites: true, restarts: false, states: false };
/** A process that has begun again does not know what the first pops take. */
const BEGUN_AGAIN = { lateWrites: true, restarts: true, states: false };
const ASKED_FOR = { lateWrites: true, restarts: true, states: true };

/** What went wrong in the first history that did, and how often the sites have asked each other. */
function search(use: SortedQueueUse, trouble: typeof STEADY): { fault: string | undefined; needs: number } {
  let needs = 0;
  for (let seed = FIRST_SEED; seed < FIRST_SEED + HISTORIES; seed++) {
    const outcome = sortedQueueHistory(seed, use, { ...trouble, steps: 30 + (seed % 60) });
    needs += outcome.needs;
    if (outcome.fault !== undefined) return { fault: `seed ${seed}: ${outcome.fault}`, needs };
  }
  return { fault: undefined, needs };
}

const SIDES = [
  ['the smaller name fills', true],
  ['the smaller name takes', false],
] as const;

test.each(SIDES)(
  'what pops take from a sorted set is taken once, without a request, where it is known: %s',
  (_, isProducerFirst) => {
    for (const retries of [false, true]) {
      const use = { known: 1, retries, isProducerFirst };
      expect(search(use, STEADY)).toEqual({ fault: undefined, needs: 0 });
      expect(search(use, ASKED_FOR).fault).toBeUndefined();
    }
  },
);

test.each(SIDES)('and once where it is not always known what a pop took: %s', (_, isProducerFirst) => {
  for (const known of [0, 0.5])
    for (const retries of [false, true])
      for (const trouble of [STEADY, BEGUN_AGAIN])
        expect(search({ known, retries, isProducerFirst }, trouble).fault).toBeUndefined();
});
