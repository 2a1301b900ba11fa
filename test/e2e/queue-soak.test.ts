/**
 * Queues under faults by which no server forgets anything. `scripts/soak --queues` runs it for longer: `TANDEM_TEST_SECONDS`,
 * `TANDEM_TEST_SEED`, `TANDEM_TEST_RATE`, `TANDEM_TEST_KINDS`, `TANDEM_TEST_FAULTS` (names, with commas) and `TANDEM_TEST_LOGS`
 * (a folder) are its arguments.
 */

import { test } from 'vitest';
import { soakQueues } from '../soak/queues.js';

const { env } = process;
const SECONDS = Number(env['TANDEM_TEST_SECONDS'] ?? 2);
const SEED = Number(env['TANDEM_TEST_SEED'] ?? 1);
const PER_SECOND = Number(env['TANDEM_TEST_RATE'] ?? 20);
const KINDS = env['TANDEM_TEST_KINDS'] ?? 'list';
/** Each comes once at the least. */
const FAULTS = env['TANDEM_TEST_FAULTS'] ?? 'kill,client-kill';
/** For what was held up, and what is looked at in the end. */
const AFTER_MS = 300_000;

test(
  `each element is taken once, in order, whatever happens (seed ${SEED})`,
  async () => {
    await soakQueues({
      seconds: SECONDS,
      seed: SEED,
      perSecond: PER_SECOND,
      kinds: KINDS.split(','),
      faults: FAULTS.split(',').filter(Boolean),
      logs: env['TANDEM_TEST_LOGS'],
      say: (text) => void process.stdout.write(`${text}\n`),
    });
  },
  SECONDS * 1000 + AFTER_MS,
);
