import { afterEach, describe, expect, test } from 'vitest';
import { encodeFunctions } from '../../src/protocol/messages/functions.js';
import { findServer } from '../support/find-server.js';
import { type Pair, type PairOptions, type Site, startPair } from '../support/pair.js';
import { quiet } from '../support/quiet.js';
import { until } from '../support/wait.js';
import { jobOf, verifyAt } from './long-jobs.js';
import { LONG_BACKLOG, ownKeys, QUICK, statusOf } from './observe.js';

const LONG = { timeout: 120_000 };
const DEADLINE = { deadlineMs: 30_000 };

let pair: Pair | undefined;

afterEach(async () => {
  await pair?.close();
  pair = undefined;
});

const found = await findServer();
const HAS_FUNCTIONS = found.kind !== 'program' || found.name === 'valkey' || found.version[0] >= 7;

function codeOf(name: string, answer = 'hello'): string {
  return `#!lua name=${name}\nredis.register_function('${name}_f', function() return '${answer}' end)`;
}

async function load({ redis }: Site, name: string, answer?: string): Promise<void> {
  await redis.call('FUNCTION', 'LOAD', 'REPLACE', codeOf(name, answer));
}

async function namesAt({ redis }: Site): Promise<string[]> {
  const list = (await redis.call('FUNCTION', 'LIST')) as string[][];
  return list.map((one) => one[1]!).toSorted();
}

async function apart(options: PairOptions = {}): Promise<Pair> {
  pair = await startPair({
    server: LONG_BACKLOG,
    ...options,
    env: { ...QUICK, ...options.env },
    start: false,
  });
  return pair;
}

async function ended(site: Site): Promise<string> {
  const job = await until(
    `the first copy of ${site.name} to end`,
    async () => {
      const one = await jobOf(site, 'first-copy');
      return one?.state === 'completed' || one?.state === 'failed' ? one : undefined;
    },
    DEADLINE,
  );
  return job.state;
}

async function started(running: Pair): Promise<string[]> {
  const sites = [running.east, running.west];
  for (const site of sites) site.start();
  const states: string[] = [];
  for (const site of sites) states.push(await ended(site));
  await quiet(running);
  return states;
}

describe.skipIf(!HAS_FUNCTIONS)('function libraries', () => {
  test('that a site had before the pair began are copied, from both sides', LONG, async () => {
    const running = await apart();
    const { east, west } = running;
    await load(east, 'ofeast');
    await load(west, 'ofwest');
    for (const site of [east, west]) await load(site, 'same');
    expect(await started(running)).toEqual(['completed', 'completed']);
    for (const site of [east, west]) {
      expect(await namesAt(site)).toEqual(['ofeast', 'ofwest', 'same']);
      expect(await site.redis.call('FCALL', 'ofeast_f', 0)).toBe('hello');
      const { code, result } = await verifyAt(running, site);
      expect(result).toMatchObject({ differing: 0, differences: [] });
      expect(code).toBe(0);
    }
  });

  test('of one name with two codes stop the first copy, until a site is preferred', LONG, async () => {
    const running = await apart();
    const { east, west } = running;
    await load(east, 'both', 'east');
    await load(west, 'both', 'west');
    expect(await started(running)).toEqual(['failed', 'failed']);
    expect(await east.redis.call('FCALL', 'both_f', 0)).toBe('east');
    expect(await west.redis.call('FCALL', 'both_f', 0)).toBe('west');
  });

  test('of one name with two codes become those of the preferred site', LONG, async () => {
    const running = await apart({ env: { TANDEM_PREFER: 'west' } });
    const { east, west } = running;
    await load(east, 'both', 'east');
    await load(west, 'both', 'west');
    expect(await started(running)).toEqual(['completed', 'completed']);
    for (const site of [east, west]) expect(await site.redis.call('FCALL', 'both_f', 0)).toBe('west');
  });

  test('that differ are found, named and mended, from either side', LONG, async () => {
    const running = await apart();
    const { east, west } = running;
    await started(running);
    // No stream tells of it: a process that is away while the backlog moves on would miss it as well.
    for (const site of [east, west]) await site.kill('SIGTERM');
    await load(east, 'onlyeast');
    await load(west, 'onlywest');
    await load(east, 'both', 'east');
    await load(west, 'both', 'west');
    const keys = ownKeys();
    for (const { redis } of [east, west]) {
      const info = await redis.info('replication');
      await redis.hset(keys.state, 'offset', /master_repl_offset:(\d+)/.exec(info)![1]!);
    }
    for (const site of [east, west]) site.start();
    await quiet(running);
    const { code, result } = await verifyAt(running, west);
    expect(code).toBe(1);
    expect(result.differences).toEqual([
      { db: null, key: 'both', kind: 'library' },
      { db: null, key: 'onlyeast', kind: 'library-missing-west' },
      { db: null, key: 'onlywest', kind: 'library-missing-east' },
    ]);
    expect((await verifyAt(running, east, '--pattern', '*')).code).toBe(0);
    const mended = await verifyAt(running, west, '--repair', '--prefer', 'east');
    expect(mended.result, mended.stderr).toMatchObject({ differing: 3, repaired: 3 });
    for (const site of [east, west]) {
      expect(await namesAt(site)).toEqual(['both', 'onlyeast', 'onlywest']);
      expect(await site.redis.call('FCALL', 'both_f', 0)).toBe('east');
    }
  });

  test('that were loaded inside a gap cross with its repair', LONG, async () => {
    const running = await apart({ server: { config: { 'repl-backlog-size': '16kb' } } });
    const { east, west } = running;
    await started(running);
    await east.kill('SIGTERM');
    await load(east, 'ingap');
    for (let i = 0; i < 40; i++) await east.redis.set(`large${i}`, 'x'.repeat(50_000));
    east.start();
    await until('the library to cross', async () => (await namesAt(west)).includes('ingap'), DEADLINE);
    await until('the gap to close', async () => !(await statusOf(east)).gap, DEADLINE);
  });

  test('stay at a site that keeps its functions, whoever asks', LONG, async () => {
    const running = await apart({ east: { env: { TANDEM_FUNCTIONS: 'false' } } });
    const { east, west } = running;
    await load(east, 'kept');
    await load(west, 'open');
    await started(running);
    await west.redis.set(ownKeys().out, encodeFunctions('forged', 1, ['kept']));
    await west.redis.set(ownKeys().out, encodeFunctions('forged', 2, []));
    await quiet(running);
    for (const site of [east, west])
      expect((await verifyAt(running, site)).result).toMatchObject({ differing: 0 });
    expect(await namesAt(west)).toEqual(['open']);
  });
});
