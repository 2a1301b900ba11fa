/**
 * Random histories on real servers: many keys at a time, each with a history of its own, 2 to 40 writes on either side. Both
 * processes stand still now and then, so that writes meet unseen, and some are killed while they catch up. At the end both sites
 * must be equal. `TANDEM_TEST_SEED` and `TANDEM_TEST_HISTORIES` choose, and `TANDEM_TEST_MIXES` (names
 * with commas between them); a failure prints the seed.
 */

import { setTimeout } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { dataset } from '../support/dataset.js';
import { FailingWatches } from '../support/failing-watches.js';
import { MIXES } from '../support/model/mixes.js';
import { Random } from '../support/model/random.js';
import { type Pair, type Site, startPair } from '../support/pair.js';
import { quiet, ROUNDS_WHEN_CONTENDED } from '../support/quiet.js';
import { randomCommand, send } from './random-commands.js';
import { LONG_BACKLOG, ownKeys, QUICK } from './observe.js';

const SEED = Number(process.env['TANDEM_TEST_SEED'] ?? 1);
const HISTORIES = Number(process.env['TANDEM_TEST_HISTORIES'] ?? 300);
const PER_ROUND = 600;
const ROUNDS = Math.ceil(HISTORIES / PER_ROUND);
const DEADLINE = { deadlineMs: 180_000 };
const NAMES = process.env['TANDEM_TEST_MIXES']?.split(',') ?? Object.keys(MIXES);
/** How often, in a phase, a process is killed, and how long it may have worked since it was let go. */
const KILL_CHANCE = Number(process.env['TANDEM_TEST_KILL_CHANCE'] ?? 0.15);
const MAX_LIFE_MS = 60;
/** How often three writes of a site are one transaction. */
const TRANSACTION_CHANCE = 0.1;
let pair: Pair;
let kills = 0;

describe.each([
  ['as it comes', undefined],
  ['with half of the watched keys given up', new FailingWatches()],
])('random histories, %s', (_, failing) => {
  beforeAll(async () => {
    const env = { ...QUICK, ...failing?.env, TANDEM_LEASE_MS: '60000' };
    pair = await startPair({ env, server: LONG_BACKLOG });
  }, 60_000);

  afterAll(async () => {
    await pair.close();
    failing?.remove();
  });

  test(`${HISTORIES} histories end the same on both sites`, async () => {
    const failures: string[] = [];
    for (let round = 0; round < ROUNDS; round++) failures.push(...(await runRound(SEED + round, failing)));
    const status = JSON.parse((await pair.east.redis.get(`tandem:{${pair.name}}:status`)) ?? '{}') as {
      conflicts?: Record<string, number>;
      late?: number;
      rejected?: number;
    };
    const met = Object.values(status.conflicts ?? {}).reduce((sum, count) => sum + count, 0);
    process.stdout.write(
      `east met ${met} concurrent writes, ${status.late} late, ${status.rejected} rejected, ${(await dataset(pair.east.redis)).size} keys\n`,
    );
    process.stdout.write(
      `${ROUNDS * PER_ROUND} histories from seed ${SEED}, ${kills} processes killed, ${failures.length} ended differently\n`,
    );
    if (process.env['TANDEM_TEST_OUT'])
      (await import('node:fs')).writeFileSync(process.env['TANDEM_TEST_OUT'], failures.join('\n'));
    expect(failures.slice(0, 10)).toEqual([]);
  }, 3_600_000);
});

async function runRound(seed: number, failing: FailingWatches | undefined): Promise<string[]> {
  failing?.begin();
  const random = new Random(seed);
  const histories = Array.from({ length: PER_ROUND }, (_, index) => ({
    mix: NAMES[index % NAMES.length]!,
    prefix: `${seed}:${index}:`,
    written: [] as string[],
    left: 2 + random.below(39),
  }));
  const phases = 2 + random.below(4);
  for (let phase = 0; phase < phases; phase++) {
    const isHeld = random.chance(0.8);
    if (isHeld) for (const site of [pair.east, pair.west]) site.pause();
    const sent: Promise<unknown>[] = [];
    for (const site of [pair.east, pair.west])
      for (const history of histories) {
        const mix = MIXES[history.mix]!;
        const count = random.below(1 + Math.ceil(history.left / phases / 2) * 2);
        const made = Array.from({ length: count }, () =>
          randomCommand(mix, { random, site: site.name, prefix: history.prefix }),
        );
        while (made.length > 0) {
          const change = made.splice(0, random.chance(TRANSACTION_CHANCE) ? 3 : 1);
          history.written.push(`${phase} ${site.name} ${change.map((words) => words.join(' ')).join('; ')}`);
          sent.push(send(site, change));
        }
      }
    await Promise.all(sent);
    const order = random.chance(0.5) ? [pair.east, pair.west] : [pair.west, pair.east];
    if (isHeld) for (const site of order) site.resume();
    for (const site of order) if (random.chance(KILL_CHANCE)) await killAndStart(site, random);
    if (random.chance(0.5)) await quiet(pair, DEADLINE);
  }
  await quiet(pair, DEADLINE);
  failing?.end();
  if (failing) await quiet(pair, { ...DEADLINE, rounds: ROUNDS_WHEN_CONTENDED });
  const [east, west] = await Promise.all([dataset(pair.east.redis), dataset(pair.west.redis)]);
  const shown = (data: typeof east, key: string): string => {
    const entry = data.get(`0:${key}`);
    return entry ? `${entry.type} ${entry.lines.join(' ')} ${entry.expiresAt ?? ''}` : 'nothing';
  };
  const failures = histories.flatMap(({ mix, prefix, written }) =>
    MIXES[mix]!.keys.flatMap((key) => {
      const [mine, theirs] = [shown(east, prefix + key), shown(west, prefix + key)];
      return mine === theirs
        ? []
        : [`seed ${seed}, ${mix}, key ${key}: east ${mine}, west ${theirs}\n    ${written.join('\n    ')}`];
    }),
  );
  return failures;
}

/** A process that dies while it catches up; the next one takes over. */
async function killAndStart(site: Site, random: Random): Promise<void> {
  await setTimeout(random.below(MAX_LIFE_MS));
  await site.kill();
  await site.redis.del(ownKeys().lease);
  site.start();
  kills++;
}
