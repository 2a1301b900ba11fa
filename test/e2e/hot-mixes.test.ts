import { afterAll, beforeAll, expect, test } from 'vitest';
import { expectEqual } from '../support/equal.js';
import { MIXES } from '../support/model/mixes.js';
import { Random } from '../support/model/random.js';
import { type Pair, type Site, startPair } from '../support/pair.js';
import { quiet, ROUNDS_WHEN_CONTENDED } from '../support/quiet.js';
import { randomCommand, send } from './random-commands.js';

const SEED = Number(process.env['TANDEM_TEST_SEED'] ?? 1);
const WRITES_A_KEY = Number(process.env['TANDEM_TEST_WRITES'] ?? 60);
/** Commands of each mix a site sends before it waits for the replies. */
const PIPELINED = 5;

let pair: Pair;

beforeAll(async () => {
  pair = await startPair();
});

afterAll(() => pair.close());

test('keys that both sites write without a pause end equal, though a decision on them is outdated again and again', async () => {
  await Promise.all([writeOn(pair.east, new Random(SEED)), writeOn(pair.west, new Random(SEED + 1))]);
  await quiet(pair, { deadlineMs: 120_000, rounds: ROUNDS_WHEN_CONTENDED });
  await expectEqual(pair.east.redis, pair.west.redis);
  expect(await pair.east.redis.dbsize()).toBeGreaterThan(10);
}, 150_000);

async function writeOn(site: Site, random: Random): Promise<void> {
  let sent: Promise<unknown>[] = [];
  for (let i = 0; i < WRITES_A_KEY; i++) {
    for (const [name, mix] of Object.entries(MIXES))
      sent.push(send(site, [randomCommand(mix, { random, site: site.name, prefix: `${name}:` })]));
    if (i % PIPELINED !== 0) continue;
    await Promise.all(sent);
    sent = [];
  }
  await Promise.all(sent);
}
