/** `tandem wait`: when it has ended with 0, all that was written before is at the other site, at once and without any further waiting. */

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { expectEqual } from '../support/equal.js';
import { MIXES } from '../support/model/mixes.js';
import { Random } from '../support/model/random.js';
import { type Pair, type Site, startPair } from '../support/pair.js';
import { until } from '../support/wait.js';
import { Load } from './load.js';
import { LONG_BACKLOG, QUICK, ownKeys, statusOf } from './observe.js';
import { randomCommand, send } from './random-commands.js';
import { type Outcome, type RunningCli, runCli, startCli } from './run-cli.js';

const SEED = Number(process.env['TANDEM_TEST_SEED'] ?? 1);
const LONG = ['--timeout', '60s'];
const CHANGES_BYTES = 1024 * 1024;

/** What a person has at hand: nothing of the other site but its name. */
function environment(pair: Pair, { name, server }: Site): Record<string, string> {
  return {
    TANDEM_PAIR: pair.name,
    TANDEM_SITE: name,
    TANDEM_PEER: name === 'east' ? 'west' : 'east',
    TANDEM_LOCAL_URL: server.url,
  };
}

function wait(pair: Pair, site: Site, ...args: string[]): Promise<Outcome> {
  return runCli(['wait', ...args], environment(pair, site), 90_000);
}

function startWait(pair: Pair, site: Site): RunningCli {
  return startCli(['wait', ...LONG], environment(pair, site));
}

async function writeOn(site: Site, random: Random, count: number): Promise<void> {
  for (let i = 0; i < count; i++) {
    const sent = Object.entries(MIXES).map(([name, mix]) =>
      send(site, [randomCommand(mix, { random, site: site.name, prefix: `${name}:` })]),
    );
    await Promise.all(sent);
  }
}

describe('when it has ended', () => {
  let pair: Pair;

  beforeAll(async () => {
    pair = await startPair({ env: QUICK, server: LONG_BACKLOG, proxy: { delayMs: 20 } });
  }, 120_000);
  afterAll(() => pair.close());

  test('what was written before is at the other site, while both go on writing', async () => {
    const load = new Load(pair, { rounds: 1, pauseMs: 20 });
    load.start();
    try {
      for (let i = 0; i < 4; i++) {
        const [from, to] = i % 2 === 0 ? [pair.east, pair.west] : [pair.west, pair.east];
        await from.redis.set(`key ${i}`, i);
        await from.redis.rpush(`list ${i}`, 'a', 'b');
        const { code, stdout, stderr } = await wait(pair, from, ...LONG);
        const found = [await to.redis.get(`key ${i}`), await to.redis.llen(`list ${i}`)];
        expect({ code, found }, stderr).toEqual({ code: 0, found: [String(i), 2] });
        expect(stdout).toMatch(
          /^All that was written at (east|west) is applied at (east|west) \(after .*\)\.$/m,
        );
      }
    } finally {
      await load.stop();
    }
    expect(JSON.parse((await wait(pair, pair.east, ...LONG, '--both', '--json')).stdout)).toEqual({
      done: true,
      both: true,
      waitedMs: expect.any(Number) as number,
      missing: [],
    });
    await load.expectExact();
  }, 120_000);

  test.each([1, 2])(
    'both sites are equal, whatever they wrote to the same keys at once (%d)',
    async (round) => {
      const [there, here] = [new Random(SEED * 100 + round), new Random(SEED * 100 + round + 50)];
      await Promise.all([writeOn(pair.east, there, 20), writeOn(pair.west, here, 20)]);
      const { code, stderr } = await wait(pair, pair.west, ...LONG, '--both');
      expect(code, stderr).toBe(0);
      await expectEqual(pair.east.redis, pair.west.redis);
    },
    90_000,
  );
});

describe('until then', () => {
  let pair: Pair;

  beforeAll(async () => {
    const env = { ...QUICK, TANDEM_CHANGES_BYTES: String(CHANGES_BYTES), TANDEM_PREFER: 'east' };
    pair = await startPair({ env, server: LONG_BACKLOG });
  }, 120_000);
  afterAll(() => pair.close());

  const cli = (site: Site, ...args: string[]): Promise<Outcome> => runCli(args, environment(pair, site));

  test('it says what keeps a change from crossing, and ends with 1 when its time is over', async () => {
    const { east, west } = pair;
    await cli(east, 'pause', 'outbound');
    await until('east to be paused', async () => (await statusOf(east)).outbound.state === 'paused');
    await east.redis.set('held', 'back');
    const { code, stdout, stderr } = await wait(pair, east, '--timeout', '2500ms');
    expect([code, stdout]).toEqual([1, '']);
    expect(stderr).toMatch(/^waiting: .*east to west is paused: tandem resume outbound/m);
    expect(stderr).toMatch(/^tandem: not all is applied after 2\.5 s\n {2}→ .* not applied at west/m);
    const told = JSON.parse((await wait(pair, east, '--timeout', '50ms', '--json')).stdout) as unknown;
    expect(told).toMatchObject({ done: false, missing: expect.arrayContaining([]) as string[] });
    const waiting = startWait(pair, east);
    await cli(east, 'resume');
    expect((await waiting.ended()).code).toBe(0);
    expect(await west.redis.get('held')).toBe('back');
  }, 120_000);

  test('it outlives the processes of both sites, and a peer that is away', async () => {
    const { east, west } = pair;
    await west.kill();
    await east.redis.set('while west is away', '1');
    const waiting = startWait(pair, east);
    await until('it to say so', () => /waiting: .*not applied at west/.test(waiting.said()));
    await east.kill();
    await east.redis.del(ownKeys().lease);
    await until('it to say that nobody works', () => waiting.said().includes('start it with tandem run'), {
      deadlineMs: 15_000,
    });
    for (const site of [east, west]) site.start();
    expect((await waiting.ended()).code).toBe(0);
    expect(await west.redis.get('while west is away')).toBe('1');
  }, 120_000);

  test('changes that were dropped are repaired', async () => {
    const { east, west } = pair;
    await west.kill();
    for (let i = 0; i < 24; i++) await east.redis.set(`large ${i}`, 'x'.repeat(CHANGES_BYTES / 8));
    await until('the change list to be dropped', () => east.redis.hexists(ownKeys().state, 'repair'));
    const waiting = startWait(pair, east);
    west.start();
    const { code, stderr } = await waiting.ended();
    expect(code, stderr).toBe(0);
    await expectEqual(east.redis, west.redis);
  }, 120_000);
});

test('it is refused where no process works, at the other site, and in another pair', async () => {
  const pair = await startPair({ start: false });
  try {
    const { east, west } = pair;
    expect(await wait(pair, east)).toMatchObject({
      code: 8,
      stderr: expect.stringMatching(/no process works for site east of pair test\n.*tandem run/) as string,
    });
    for (const site of [east, west]) site.start();
    for (const site of [east, west])
      await until(`${site.name} to work`, async () => (await statusOf(site)).role === 'active');
    const { TANDEM_LOCAL_URL: _, ...asEast } = environment(pair, east);
    const mistaken = await runCli(['wait'], { ...asEast, TANDEM_LOCAL_URL: west.server.url });
    expect(mistaken).toMatchObject({ code: 6, stderr: expect.stringMatching(/that of site west/) as string });
    const stranger = await runCli(['wait'], { ...environment(pair, east), TANDEM_PAIR: 'other' });
    expect(stranger).toMatchObject({
      code: 6,
      stderr: expect.stringMatching(/belongs to pair test/) as string,
    });
    for (const time of ['5', '-1s', '1 year', '0s'])
      expect((await wait(pair, east, '--timeout', time)).code).toBe(2);
  } finally {
    await pair.close();
  }
}, 120_000);
