/**
 * Faults under writes of all types, for half a minute, those alone by which no server forgets anything (docs/guide/limits.md
 * tells of the others). `scripts/soak` runs it for longer: `TANDEM_TEST_SECONDS`,
 * `TANDEM_TEST_SEED`, `TANDEM_TEST_FAULTS` (names, with commas) and `TANDEM_TEST_LOGS` (a folder) are its arguments.
 */

import { test } from 'vitest';
import { soak } from '../soak/soak.js';

const { TANDEM_TEST_SECONDS, TANDEM_TEST_SEED, TANDEM_TEST_FAULTS, TANDEM_TEST_LOGS } = process.env;
const SECONDS = Number(TANDEM_TEST_SECONDS ?? 25);
const SEED = Number(TANDEM_TEST_SEED ?? 1);
const FORGETTING_NOTHING =
  'kill,term,takeover,cut,half-open,slow,delay-80,delay-300,client-kill,oom,readonly,address-switch,full-log';
/** For the last phase, which is begun before the time is over. */
const AFTER_MS = 300_000;

test(
  `both sites come to the same whatever happens (seed ${SEED})`,
  async () => {
    const only =
      TANDEM_TEST_FAULTS === 'all' ? {} : { only: (TANDEM_TEST_FAULTS ?? FORGETTING_NOTHING).split(',') };
    const say = (text: string): void => void process.stdout.write(`${text}\n`);
    await soak({ seconds: SECONDS, seed: SEED, logs: TANDEM_TEST_LOGS, say, ...only });
  },
  SECONDS * 1000 + AFTER_MS,
);
