/** Every command that works at a site's Redis refuses that of another site, and that of another pair, with the same words. */

import { afterAll, beforeAll, expect, test } from 'vitest';
import { programOf } from '../../src/cli/program.js';
import { type Pair, startPair } from '../support/pair.js';
import { until } from '../support/wait.js';
import { statusOf } from './observe.js';
import { type Outcome, runCli } from './run-cli.js';

/** Commands that look at no Redis. */
const AT_NO_REDIS = ['config', 'completion'];
/** What the others are given beside their name. */
const ARGUMENTS: Readonly<Record<string, readonly string[]>> = {
  'rejected retry': ['--all'],
  'rejected drop': ['--all'],
  unpair: ['--yes'],
};
/** They say themselves what is wrong: in a table, in a log, of a copy that there must be, or in one line. */
const IN_OTHER_WORDS = ['check', 'run', 'adopt', 'health'];
/** Those who ask them know no code but this. */
const ENDS_WITH_1 = ['check', 'health'];
/** Where another pair alone has worked there is nothing of this one: that is what they find, and no mistake. */
const FINDS_NOTHING = ['unpair', 'run', 'check'];

const COMMANDS = programOf(() => {}, false).commands.flatMap((command) =>
  command.commands.length === 0
    ? [command.name()]
    : command.commands.map((one) => `${command.name()} ${one.name()}`),
);
const AT_REDIS = COMMANDS.filter((name) => !AT_NO_REDIS.includes(name));

let pair: Pair;

beforeAll(async () => {
  pair = await startPair();
  for (const site of [pair.east, pair.west])
    await until(`${site.name} to work`, async () => (await statusOf(site)).role === 'active');
});
afterAll(() => pair.close());

/** As site east, unless the settings say otherwise. */
function run(command: string, settings: Record<string, string>): Promise<Outcome> {
  const { east, west, name } = pair;
  return runCli([...command.split(' '), ...(ARGUMENTS[command] ?? [])], {
    TANDEM_PAIR: name,
    TANDEM_SITE: 'east',
    TANDEM_PEER: 'west',
    TANDEM_LOCAL_URL: east.server.url,
    TANDEM_PEER_URL: west.server.url,
    ...settings,
  });
}

test('there are many commands, and each of the lists names some that there are', () => {
  expect(AT_REDIS.length).toBeGreaterThan(14);
  for (const name of [...AT_NO_REDIS, ...IN_OTHER_WORDS, ...FINDS_NOTHING, ...Object.keys(ARGUMENTS)])
    expect(COMMANDS).toContain(name);
});

test.each(AT_REDIS)("tandem %s refuses the peer's Redis", async (command) => {
  const { east, west } = pair;
  const { code, stdout, stderr } = await run(command, {
    TANDEM_LOCAL_URL: west.server.url,
    TANDEM_PEER_URL: east.server.url,
  });
  expect(code, stdout + stderr).toBe(ENDS_WITH_1.includes(command) ? 1 : 6);
  if (IN_OTHER_WORDS.includes(command)) expect(stdout + stderr).toMatch(/site west/);
  else {
    expect(stdout).toBe('');
    expect(stderr).toMatch(/^tandem: this Redis is that of site west, not of east\n {2}→ .*adopt/);
  }
});

test.each(AT_REDIS)('tandem %s refuses the Redis of a third site', async (command) => {
  const { code, stdout, stderr } = await run(command, { TANDEM_SITE: 'north' });
  expect(code, stdout + stderr).toBe(ENDS_WITH_1.includes(command) ? 1 : 6);
  if (IN_OTHER_WORDS.includes(command)) expect(stdout + stderr).toMatch(/site east/);
  else {
    expect(stdout).toBe('');
    expect(stderr).toMatch(/^tandem: this Redis is that of site east, not of north\n {2}→ /);
  }
});

test.each(AT_REDIS.filter((name) => !FINDS_NOTHING.includes(name)))(
  'tandem %s refuses the Redis of another pair',
  async (command) => {
    const { code, stdout, stderr } = await run(command, { TANDEM_PAIR: 'orders' });
    expect(code, stdout + stderr).toBe(ENDS_WITH_1.includes(command) ? 1 : 6);
    if (IN_OTHER_WORDS.includes(command))
      expect(stderr).toMatch(/nothing of pair orders|belongs to pair test/);
    else {
      expect(stdout).toBe('');
      expect(stderr).toMatch(
        /^tandem: this Redis belongs to pair test, and pair orders has never worked here\n {2}→ /,
      );
    }
  },
);

test('nothing was done to the site by any of them', async () => {
  for (const { redis } of [pair.east, pair.west]) {
    expect(await redis.keys('tandem:{orders}*')).toEqual([]);
    expect(await redis.exists('tandem:{test}:paused')).toBe(0);
  }
  expect((await statusOf(pair.east)).role).toBe('active');
});
