/**
 * Takes every right away by itself: where the check fails it names it, and where it passes the site runs. To run one site for each of
 * them would take hours; all that the check lets pass are taken away together instead, and then nothing may be refused.
 */

import { beforeAll, describe, expect, it } from 'vitest';
import { loadConfig } from '../../src/config/config.js';
import { localAclRule, peerAclRule } from '../../src/preflight/rights.js';
import type { Finding } from '../../src/preflight/finding.js';
import { findingsOf } from '../redis/checking.js';
import { expectEqual } from '../support/equal.js';
import { writeMixed } from '../support/mixed-keys.js';
import { MIXES } from '../support/model/mixes.js';
import { Random } from '../support/model/random.js';
import { type Pair, type PairOptions, type Site, startPair } from '../support/pair.js';
import { quiet, ROUNDS_WHEN_CONTENDED } from '../support/quiet.js';
import { type TestServer, startServer } from '../support/server.js';
import { until } from '../support/wait.js';
import { settingsOf } from './long-jobs.js';
import { ownKeys } from './observe.js';
import { randomCommand, send } from './random-commands.js';
import { runCli } from './run-cli.js';

const SEED = Number(process.env['TANDEM_TEST_SEED'] ?? 1);
const WRITES_A_KEY = 15;
const SORTING = { timeout: 240_000 };

type CommandEntry = [name: string, arity: number, flags: string[], ...unknown[]];

/** What the check says to an account that has all rights but one; `warn` also where it cannot look at something then. */
type Verdict = 'pass' | 'warn' | 'fail';
const verdicts = new Map<string, Verdict>();
/** Failures that do not name the right. */
const mute: string[] = [];

beforeAll(async () => {
  const [east, west] = await Promise.all([startServer(), startServer()]);
  try {
    await sortRights(east, west);
  } finally {
    await Promise.all([east.stop(), west.stop()]);
  }
}, 240_000);

async function sortRights(east: TestServer, west: TestServer): Promise<void> {
  const admin = east.client();
  const config = loadConfig({
    env: {
      TANDEM_PAIR: 'test',
      TANDEM_SITE: 'east',
      TANDEM_PEER: 'west',
      TANDEM_LOCAL_URL: east.urlFor('own', 'sesame'),
      TANDEM_PEER_URL: west.url,
      TANDEM_FLUSH: 'replicate',
    },
  });
  const found = async (without: string): Promise<Finding[]> => {
    const rule = [...localAclRule().split(' '), ...without.split(' ').filter(Boolean)];
    await admin.call('ACL', 'SETUSER', 'own', 'reset', 'on', '>sesame', ...rule);
    return findingsOf(config);
  };
  const usual = new Set((await found('')).map(({ message }) => message));
  for (const right of await rightsOf(east)) {
    const bad = (await found(`-${right}`)).filter(
      ({ subject, outcome, message }) => subject !== 'pair' && outcome !== 'pass' && !usual.has(message),
    );
    const isFailed = bad.some(({ outcome }) => outcome === 'fail');
    verdicts.set(right, isFailed ? 'fail' : bad.length > 0 ? 'warn' : 'pass');
    const words = bad.flatMap(({ message }) => message.toLowerCase().split(/[^a-z|_.-]+/));
    // Without all of a container, what is missing is one of its parts.
    const isNamed = words.some((word) => word === right || word.startsWith(`${right}|`));
    const isTold =
      isNamed || ['client', 'config'].some((word) => right.startsWith(word) && words.includes(word));
    if (bad.length > 0 && !isTold) mute.push(`${right}: ${bad[0]!.message}`);
  }
}

/** Every command the rule may grant, with the subcommands. */
async function rightsOf(server: TestServer): Promise<string[]> {
  const reply = (await server.client().call('COMMAND')) as CommandEntry[];
  return reply
    .flatMap((entry) => [entry, ...((entry[9] ?? []) as CommandEntry[])])
    .filter(([, , flags]) => !flags.includes('no_auth') && !flags.includes('admin'))
    .map(([name]) => name);
}

function rightsThat(...wanted: Verdict[]): string[] {
  return [...verdicts].filter(([, verdict]) => wanted.includes(verdict)).map(([right]) => right);
}

/** A pair whose own accounts lack these rights, and whose peers' accounts have what is advised alone. */
async function startWithout(rights: readonly string[], options: PairOptions = {}): Promise<Pair> {
  const rule = [localAclRule(), ...rights.map((right) => `-${right}`)].join(' ');
  const site = {
    localUrl: (server: TestServer): string => server.urlFor('own', 'sesame'),
    peerUrl: (server: TestServer): string => server.urlFor('other', 'sesame'),
  };
  return startPair({
    server: {
      aclLines: [`user own on >sesame ${rule}`, `user other on >sesame ${peerAclRule(ownKeys())}`],
      config: { 'repl-backlog-size': '64mb' },
    },
    east: site,
    west: site,
    start: false,
    ...options,
  });
}

function settingsAt(pair: Pair, site: Site): Record<string, string> {
  const peer = site === pair.east ? pair.west : pair.east;
  return {
    ...settingsOf(pair, site),
    TANDEM_LOCAL_URL: site.server.urlFor('own', 'sesame'),
    TANDEM_PEER_URL: peer.server.urlFor('other', 'sesame'),
  };
}

/** What an account was refused, each kind once. */
async function refusalsAt(...sites: Site[]): Promise<string[]> {
  const seen = new Set<string>();
  for (const { redis } of sites) {
    for (const entry of (await redis.call('ACL', 'LOG', '500')) as string[][]) {
      const field = (name: string): string => String(entry[entry.indexOf(name) + 1]);
      seen.add(`${field('username')}: ${field('object')} (${field('context')})`);
    }
  }
  return [...seen];
}

async function writeOn(site: Site, random: Random): Promise<void> {
  for (let i = 0; i < WRITES_A_KEY; i++) {
    const commands = Object.entries(MIXES).map(([name, mix]) =>
      randomCommand(mix, { random, site: site.name, prefix: `${name}:` }),
    );
    await Promise.all(commands.map(async (command) => send(site, [command])));
  }
}

describe('a right that is taken away', () => {
  it('and makes the check fail or warn is named by it', () => {
    expect(mute).toEqual([]);
    expect(rightsThat('fail').length).toBeGreaterThan(100);
    expect(rightsThat('pass').length).toBeGreaterThan(50);
  });

  it(
    'and lets the check pass is needed by nothing: not by replication, jobs, or any command',
    SORTING,
    async () => {
      const pair = await startWithout(rightsThat('pass'), { env: { TANDEM_FLUSH: 'replicate' } });
      try {
        const { east, west } = pair;
        await writeMixed(east.redis, { prefix: 'east', count: 300 });
        await writeMixed(west.redis, { prefix: 'west', count: 300 });
        for (const site of [east, west]) site.start();
        for (const { redis } of [east, west])
          await until('the first copy', async () => (await redis.hexists(ownKeys().state, 'copied')) === 1, {
            deadlineMs: 30_000,
          });
        await Promise.all([writeOn(east, new Random(SEED)), writeOn(west, new Random(SEED + 1))]);
        await quiet(pair, { deadlineMs: 60_000, rounds: ROUNDS_WHEN_CONTENDED });
        await east.redis.publish('channel', 'message');
        await east.redis.swapdb(3, 4);
        await west.redis.call('FLUSHDB');
        await quiet(pair, { deadlineMs: 60_000 });
        await Promise.all([writeOn(east, new Random(SEED + 2)), writeOn(west, new Random(SEED + 3))]);
        await quiet(pair, { deadlineMs: 60_000, rounds: ROUNDS_WHEN_CONTENDED });
        await expectEqual(east.redis, west.redis);
        expect(await east.redis.dbsize()).toBeGreaterThan(10);
        const verified = await runCli(['verify', '--repair', '--json'], settingsAt(pair, east), 60_000);
        expect(verified.code, verified.stderr).toBe(0);
        // The commands of a person, one by one.
        const env = settingsAt(pair, east);
        for (const args of [
          ['status'],
          ['conflicts'],
          ['jobs'],
          ['rejected'],
          ['pause'],
          ['resume'],
          ['check'],
        ])
          expect(await runCli(args, env), args.join(' ')).toMatchObject({ code: 0, stderr: '' });
        for (const site of [east, west]) await site.kill('SIGTERM');
        for (const site of [east, west])
          expect(await runCli(['unpair', '--yes'], settingsAt(pair, site))).toMatchObject({ code: 0 });
        expect(await refusalsAt(east, west)).toEqual([]);
      } finally {
        await pair.close();
      }
    },
  );

  it('and makes the check warn alone keeps no change from crossing', SORTING, async () => {
    const warned = rightsThat('pass', 'warn');
    expect(warned).toEqual(expect.arrayContaining(['command', 'client|setname', 'subscribe', 'evalsha']));
    const pair = await startWithout(warned);
    try {
      const { east, west } = pair;
      for (const site of [east, west]) site.start();
      await quiet(pair, { deadlineMs: 30_000 });
      await Promise.all([writeOn(east, new Random(SEED)), writeOn(west, new Random(SEED + 1))]);
      await quiet(pair, { deadlineMs: 60_000, rounds: ROUNDS_WHEN_CONTENDED });
      await expectEqual(east.redis, west.redis);
      expect(await east.redis.dbsize()).toBeGreaterThan(10);
      expect([east.running, west.running]).toEqual([true, true]);
    } catch (error) {
      throw new Error(`refused: ${(await refusalsAt(pair.east, pair.west)).join(', ')}`, { cause: error });
    } finally {
      await pair.close();
    }
  });
});
