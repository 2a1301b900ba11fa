import { readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { expectEqual } from '../support/equal.js';
import { writeMixed } from '../support/mixed-keys.js';
import { type Pair, type Site, startPair } from '../support/pair.js';
import { quiet } from '../support/quiet.js';
import { LiveWriters } from './live-writers.js';
import { settingsOf, verifyAt } from './long-jobs.js';
import { LONG_BACKLOG, QUICK, statusOf } from './observe.js';
import { DIFFERENCES, kindsFrom, plant } from './planted.js';
import { runCli } from './run-cli.js';

const SEED = Number(process.env['TANDEM_TEST_SEED'] ?? Date.now() % 1_000_000);
const KEYS = 3000;
/** Commands a second at each site: few enough for a machine that is busy with something else. */
const RATE = Number(process.env['TANDEM_TEST_RATE'] ?? 200);
const LONG = { timeout: 400_000 };

let pair: Pair;
let east: Site;
let west: Site;
let writers: LiveWriters | undefined;

beforeAll(async () => {
  pair = await startPair({ server: LONG_BACKLOG, env: QUICK });
  ({ east, west } = pair);
  await writeMixed(east.redis, { prefix: 'mixed', count: KEYS });
  await quiet(pair);
});

afterEach(async () => {
  await writers?.stop();
  writers = undefined;
});

afterAll(() => pair.close());

function writing(): void {
  writers = new LiveWriters([east, west], { seed: SEED, rate: RATE, burst: 10 });
}

async function settled(): Promise<void> {
  await writers?.stop();
  writers = undefined;
  await quiet(pair, { deadlineMs: 60_000 });
}

test('equal sites are found equal, from either side', LONG, async () => {
  for (const site of [east, west]) {
    const { code, result } = await verifyAt(pair, site);
    expect(result).toMatchObject({ differing: 0, undecided: 0, differences: [] });
    expect(result.equal).toBeGreaterThanOrEqual(KEYS);
    expect(code).toBe(0);
    expect((await statusOf(site)).lastComparison).toMatchObject({ compared: result.equal, differing: 0 });
  }
});

test('no difference is seen under writes at both sites, with hot keys and short expiries', LONG, async () => {
  writing();
  for (const site of [east, west, east, west]) {
    const { code, result } = await verifyAt(pair, site);
    expect(result, `seed ${SEED}`).toMatchObject({ differing: 0, differences: [] });
    expect(code).toBe(result.undecided === 0 ? 0 : 2);
  }
  await settled();
  await expectEqual(east.redis, west.redis);
});

test(
  'differences that no stream told of are found, all and no others, under writes, from either side, and mended',
  LONG,
  async () => {
    await plant(east, west);
    writing();
    for (const site of [east, west]) {
      const { code, result } = await verifyAt(pair, site);
      expect(kindsFrom(result.differences), `seed ${SEED}`).toEqual(kindsFrom(DIFFERENCES));
      expect(result.differing).toBe(DIFFERENCES.length);
      expect(code).toBe(1);
    }
    const dry = await verifyAt(pair, west, '--repair', '--dry-run');
    expect(dry).toMatchObject({ code: 1, result: { differing: DIFFERENCES.length, repaired: 0 } });
    const mended = await verifyAt(pair, west, '--repair', '--prefer', 'east');
    expect(mended.result, mended.stderr).toMatchObject({
      differing: DIFFERENCES.length,
      repaired: DIFFERENCES.length,
    });
    expect([0, 2]).toContain(mended.code);
    await settled();
    await expectEqual(east.redis, west.redis);
    // What one site lacked is copied, and the preferred site's value stays.
    expect(
      await west.redis.mget('planted:string', 'planted:append', 'planted:only-west', 'planted:only-east'),
    ).toEqual(['b', 'a', 'a', 'a']);
  },
);

test('the preferred site is followed, whichever it is', LONG, async () => {
  for (const [site, prefer, value] of [
    [east, 'west', 'other'],
    [west, 'east', 'other'],
    [east, 'east', 'one'],
    [west, undefined, 'one'],
  ] as const) {
    await site.redis.set('preferred', 'one');
    await quiet(pair);
    const peer = site === east ? west : east;
    await unseen(peer, "redis.call('SET', KEYS[1], 'other')", 'preferred');
    const { code, result } = await verifyAt(pair, site, '--repair', ...(prefer ? ['--prefer', prefer] : []));
    expect(result).toMatchObject({ differing: 1, repaired: 1, byKind: { value: 1 } });
    expect(code).toBe(0);
    expect([await east.redis.get('preferred'), await west.redis.get('preferred')]).toEqual([value, value]);
  }
});

test('a repair, also a dry one, says of each key and in total whose value stays', LONG, async () => {
  await east.redis.mset('stays:both', 'a', 'stays:east', 'a', 'stays:west', 'a');
  await quiet(pair);
  await unseen(
    west,
    "redis.call('SET', KEYS[1], 'b') redis.call('DEL', KEYS[2])",
    'stays:both',
    'stays:east',
  );
  await unseen(east, "redis.call('DEL', KEYS[1])", 'stays:west');
  const told = [
    { db: 0, key: 'stays:both', kind: 'value', stays: 'west' },
    { db: 0, key: 'stays:east', kind: 'missing-west', stays: 'east' },
    { db: 0, key: 'stays:west', kind: 'missing-east', stays: 'west' },
  ];
  const dry = await verifyAt(pair, east, '--repair', '--dry-run', '--prefer', 'west');
  expect(dry.result).toMatchObject({ differences: told, repaired: 0, stays: { east: 1, west: 2 } });
  // Who only compares has not said whose is to stay.
  expect((await verifyAt(pair, east)).result).toMatchObject({ differing: 3, stays: {} });

  const args = ['repair', '--prefer', 'west'];
  const { code, stdout } = await runCli(args, settingsOf(pair, east), 60_000);
  expect(stdout).toMatch(/^ {2}db 0 {2}value {2}west's stays {2}stays:both$/m);
  expect(stdout).toMatch(/^ {2}db 0 {2}missing-west {2}east's stays {2}stays:east$/m);
  expect(stdout).toMatch(/^Whose value stays: (west's for 2, east's for 1|east's for 1, west's for 2)\.$/m);
  expect(code).toBe(0);
  expect(await east.redis.mget('stays:both', 'stays:east', 'stays:west')).toEqual(['b', 'a', 'a']);
});

test(
  'a pattern, a database or a sample limits what is compared, and the list goes to a file',
  LONG,
  async () => {
    await east.redis.mset('some:1', 'a', 'some:2', 'a', 'other:1', 'a');
    await quiet(pair);
    await unseen(
      west,
      "for _, key in ipairs(KEYS) do redis.call('SET', key, 'b') end",
      'some:1',
      'some:2',
      'other:1',
    );
    const out = join(tmpdir(), `tandem-test-${randomUUID()}.jsonl`);
    try {
      const { result } = await verifyAt(pair, east, '--pattern', 'some:*', '--out', out);
      expect(result).toMatchObject({ compared: 2, differing: 2 });
      const lines = readFileSync(out, 'utf8')
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as unknown);
      expect(lines).toEqual([
        { db: 0, key: 'some:1', kind: 'value' },
        { db: 0, key: 'some:2', kind: 'value' },
      ]);
      expect((await verifyAt(pair, east, '--db', '3')).result).toMatchObject({ differing: 0 });
      const half = (await verifyAt(pair, east, '--sample', '50')).result.compared;
      const all = (await verifyAt(pair, east)).result;
      expect(all).toMatchObject({ differing: 3 });
      expect(half / all.compared).toBeGreaterThan(0.4);
      expect(half / all.compared).toBeLessThan(0.6);
      const plain = await runCli(['verify', '--db', '0', '--out', out], settingsOf(pair, east), 60_000);
      expect(plain.stdout).toMatch(/3 different \(value 3\)/);
      expect(plain.code).toBe(1);
    } finally {
      rmSync(out, { force: true });
    }
    expect((await verifyAt(pair, east, '--repair')).code).toBe(0);
  },
);

test('wrong arguments compare nothing, and end with 2', LONG, async () => {
  for (const args of [
    ['--sample', '0'],
    ['--sample', '101'],
    ['--db', 'x'],
    ['--prefer', 'north'],
    ['--what'],
    ['--db', '99'],
  ]) {
    const { code, stderr } = await runCli(['verify', ...args], settingsOf(pair, east), 30_000);
    expect({ args, code }).toEqual({ args, code: 2 });
    expect(stderr).not.toBe('');
  }
});

test(
  'without a process, or with a peer that is away, nothing is compared, and the end is 2',
  LONG,
  async () => {
    await west.kill();
    const alone = await runCli(['verify', '--json'], settingsOf(pair, west), 30_000);
    expect(alone).toMatchObject({ code: 2, stdout: '' });
    expect(alone.stderr).toMatch(/no process works for site west/);
    const away = await runCli(['verify', '--json'], settingsOf(pair, east), 60_000);
    expect(away).toMatchObject({ code: 2, stdout: '' });
    expect(away.stderr).toMatch(/peer/);
    expect(away.stderr).toMatch(/tandem jobs drop verify-\w+ takes it off the list of failed jobs/);
    west.start();
    await quiet(pair);
    expect((await verifyAt(pair, east)).code).toBe(0);
  },
);

/** Runs a script whose effects the stream does not tell. */
async function unseen(site: Site, script: string, ...keys: string[]): Promise<void> {
  await site.redis.eval(`redis.set_repl(redis.REPL_NONE) ${script}`, keys.length, ...keys);
}

test(
  'vector sets are compared by their elements, and one that was mended is equal',
  LONG,
  async (context) => {
    const [known] = (await east.redis.call('COMMAND', 'INFO', 'VADD')) as unknown[];
    if (!known) return context.skip();
    for (const name of ['one', 'two', 'three', 'four'])
      await east.redis.call('VADD', 'vectors', 'VALUES', '3', '0.1', String(name.length), '-2', name);
    await east.redis.call('VADD', 'others', 'VALUES', '3', '0.1', '1', '-2', 'one');
    await quiet(pair);
    expect((await verifyAt(pair, west)).result).toMatchObject({ differing: 0, notComparable: 0 });
    const others = "redis.call('RESTORE', KEYS[1], 0, redis.call('DUMP', KEYS[2]), 'REPLACE')";
    await unseen(west, others, 'vectors', 'others');
    const { result, code } = await verifyAt(pair, east);
    expect(result.differences).toEqual([{ db: 0, key: 'vectors', kind: 'value' }]);
    expect(code).toBe(1);
    const mended = await verifyAt(pair, east, '--repair', '--prefer', 'east');
    expect(mended, mended.stderr).toMatchObject({ code: 0, result: { differing: 1, repaired: 1 } });
    await settled();
  },
);
