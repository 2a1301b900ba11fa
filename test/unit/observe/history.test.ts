import { expect, test } from 'vitest';
import { History } from '../../../src/observe/page/history.js';
import { exampleStatus } from './example-status.js';

const START = 1_000_000;

test('what comes once in a minute is no zero', () => {
  const history = new History();
  for (let second = 0; second <= 600; second++)
    history.sample(exampleStatus({ at: START + second * 1000, conflicts: { set: Math.floor(second / 60) } }));
  const rates = history.points('1h').map(({ conflictRate }) => conflictRate);
  expect(rates.length).toBeGreaterThan(10);
  const met = rates.filter((rate) => rate > 0);
  expect(met).toHaveLength(10);
  // Of ten seconds.
  expect(met[0]).toBe(0.1);
});
