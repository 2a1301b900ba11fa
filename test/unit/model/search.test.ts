import { describe, expect, test } from 'vitest';
import { CALM, FORGETFUL, ROUGH, type Trouble, history } from '../../support/model/history.js';
import { MIXES, type Mix } from '../../support/model/mixes.js';

/** Histories per mix and trouble. A search for counter-examples sets it to hundreds of thousands. */
const HISTORIES = Number(process.env['TANDEM_TEST_HISTORIES'] ?? 300);
/** First seed, so that a long search can be continued. */
const FIRST_SEED = Number(process.env['TANDEM_TEST_SEED'] ?? 1);
const ONLY = process.env['TANDEM_TEST_MIX'];

const TROUBLES: readonly [string, Trouble][] = [
  ['one change at a time', CALM],
  ['transactions, runs, late writes and restarts', ROUGH],
  ['restarts that forget', FORGETFUL],
];

/** The first failure, with the seed that shows it again; undefined when there is none. */
function search(mix: Mix, trouble: Trouble): string | undefined {
  const failures: string[] = [];
  for (let seed = FIRST_SEED; seed < FIRST_SEED + HISTORIES; seed++) {
    const failure = history(seed, mix, trouble);
    if (failure !== undefined) failures.push(`seed ${seed}: ${failure}`);
  }
  return failures.length === 0
    ? undefined
    : `${failures.length} of ${HISTORIES}, the first with ${failures[0]}`;
}

describe.each(TROUBLES)('%s', (_, trouble) => {
  const mixes = Object.entries(MIXES).filter(([name]) => ONLY === undefined || name === ONLY);
  test.each(mixes)(
    'both sites end equal and keep what they promise: %s',
    { timeout: 3_600_000 },
    (_name, mix) => {
      expect(search(mix, trouble)).toBeUndefined();
    },
  );
});
