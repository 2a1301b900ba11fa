import { execFileSync } from 'node:child_process';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type Pair, startPair } from '../support/pair.js';
import { quiet } from '../support/quiet.js';
import { CLI } from '../support/tandem-process.js';
import { until } from '../support/wait.js';
import { ownKeys, statusOf } from './observe.js';
import { runCli, startCli, type RunningCli } from './run-cli.js';

const KEYS = ownKeys();
/** Of these bytes a terminal would make something else. */
const BINARY = Buffer.from('\u00ff\u0000\u001b[2J"\\\n', 'latin1');
const BINARY_SHOWN = String.raw`\xff\x00\x1b[2J\"\\\n`;

let pair: Pair;
let running: RunningCli | undefined;

beforeAll(async () => {
  // The processes stand still while both sides are written: the lease must outlive that.
  pair = await startPair({ env: { TANDEM_LEASE_MS: '60000' } });
});

afterAll(async () => {
  await running?.end('SIGKILL');
  await pair.close();
});

beforeEach(async () => {
  for (const { redis } of [pair.east, pair.west]) await redis.del(KEYS.conflicts);
});

/** The settings of east's process. */
function settings(changed: Record<string, string> = {}): Record<string, string> {
  return {
    TANDEM_PAIR: pair.name,
    TANDEM_SITE: 'east',
    TANDEM_PEER: 'west',
    TANDEM_LOCAL_URL: pair.east.server.url,
    TANDEM_PEER_URL: pair.west.server.url,
    ...changed,
  };
}

function conflicts(...args: string[]): ReturnType<typeof runCli> {
  return runCli(['conflicts', ...args], settings());
}

/** Each key is set at both sites while neither knows of it, and once it was merged: one conflict for each key. */
async function meet(...keys: (string | Buffer)[]): Promise<void> {
  for (const site of [pair.east, pair.west]) site.pause();
  for (const key of keys) for (const { redis, name } of [pair.east, pair.west]) await redis.set(key, name);
  for (const site of [pair.east, pair.west]) site.resume();
  await quiet(pair);
}

interface Line {
  time: string;
  key: string;
  [field: string]: unknown;
}

function lines(text: string): Line[] {
  return text
    .trim()
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Line);
}

function keysOf(text: string): string[] {
  return lines(text).map(({ key }) => key);
}

describe('tandem conflicts', () => {
  test('says that there are none, on standard error and not in JSON, and ends with 0', async () => {
    expect(await conflicts()).toEqual({
      code: 0,
      stdout: '',
      stderr: 'No conflicts are listed at site east of pair test.\n',
    });
    expect(await conflicts('--json')).toEqual({ code: 0, stdout: '', stderr: '' });
  });

  test('shows what was met, and both commands, without a byte that is not printable', async () => {
    await meet('user:1', BINARY);
    const { code, stdout, stderr } = await conflicts();
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z {2}SET {2}(?:own|theirs)-stays {2}db 0 {2}"user:1"$/im);
    expect(stdout).toMatch(/^ {4}theirs {2}\S+Z {2}"SET user:1 west"$/im);
    expect(stdout).toMatch(/^ {4}own {5}\S+Z {2}"SET user:1 east"$/im);
    expect(stdout).toContain(`db 0  "${BINARY_SHOWN}"\n`);
    expect(stdout).toMatch(/^[ -~\n]+$/);
  });

  test('prints one JSON object per line if asked', async () => {
    await meet('user:1', BINARY);
    const { code, stdout } = await conflicts('--json');
    expect(code).toBe(0);
    const [first, second] = lines(stdout);
    expect(first).toMatchObject({
      id: expect.stringMatching(/^\d+-\d+$/) as string,
      time: expect.stringMatching(/^\d{4}-.*Z$/) as string,
      command: expect.stringMatching(/^set$/i) as string,
      outcome: expect.stringMatching(/-stays$/) as string,
      database: 0,
      key: 'user:1',
      theirTime: expect.any(Number) as number,
      ownTime: expect.any(Number) as number,
      theirs: expect.stringMatching(/^set user:1 west$/i) as string,
      own: expect.stringMatching(/^set user:1 east$/i) as string,
    });
    expect(second!.key).toBe(BINARY_SHOWN);
  });

  test('lists the oldest first, the newest so many if asked, and those whose key matches as in KEYS', async () => {
    const names = Array.from({ length: 30 }, (_, i) => `${i % 3 === 0 ? 'user' : 'cart'}:${i}`);
    await meet(...names);
    const users = names.filter((name) => name.startsWith('user'));
    expect(keysOf((await conflicts('--json')).stdout)).toEqual(names);
    expect(keysOf((await conflicts('--json', '--count', '4')).stdout)).toEqual(names.slice(-4));
    expect(keysOf((await conflicts('--json', '--key', 'user:*')).stdout)).toEqual(users);
    expect(keysOf((await conflicts('--json', '--key', 'user:*', '--count', '3')).stdout)).toEqual(
      users.slice(-3),
    );
    for (const pattern of ['*:[12]?', '[^u]*', 'user:\\2*', 'c?rt:1']) {
      const matching = new Set(await pair.east.redis.keys(pattern));
      expect(keysOf((await conflicts('--json', '--key', pattern)).stdout), pattern).toEqual(
        names.filter((name) => matching.has(name)),
      );
    }
    expect(await conflicts('--key', 'nobody')).toEqual({
      code: 0,
      stdout: '',
      stderr: 'No listed conflict is about a key that matches nobody.\n',
    });
  });

  test('lists those of a time, and those that ended in one way; how far the list goes back is told', async () => {
    const now = Date.now();
    const outcomes = ['merged', 'own-stays', 'merged'];
    for (const [i, outcome] of outcomes.entries()) {
      const id = `${now - (3 - i) * 3_600_000}-1`;
      await pair.east.redis.xadd(KEYS.conflicts, id, 'key', `k${i}`, 'database', 0, 'outcome', outcome);
    }
    expect(keysOf((await conflicts('--json', '--since', '150m')).stdout)).toEqual(['k1', 'k2']);
    expect(keysOf((await conflicts('--json', '--until', '90m')).stdout)).toEqual(['k0', 'k1']);
    expect(keysOf((await conflicts('--json', '--since', '150m', '--until', '90m')).stdout)).toEqual(['k1']);
    expect(keysOf((await conflicts('--json', '--outcome', 'merged', '--count', '1')).stdout)).toEqual(['k2']);
    expect((await conflicts('--since', '2000-01-01')).stderr).toBe(
      `The list goes back to ${new Date(now - 3 * 3_600_000).toISOString()} only.\n`,
    );
    expect((await conflicts('--since', '150m')).stderr).toBe('');
    expect((await conflicts('--since', '30m')).stderr).toBe(
      'No listed conflict is of that time, outcome and key.\n',
    );
    expect((await conflicts('--since', 'yesterday')).code).toBe(2);
  });

  test('reads a list of any length', async () => {
    const pipeline = pair.east.redis.pipeline();
    for (let i = 0; i < 2500; i++) pipeline.xadd(KEYS.conflicts, '*', 'key', `k${i}`, 'database', 0);
    await pipeline.exec();
    const { stdout } = await conflicts('--json');
    expect(keysOf(stdout)).toEqual(Array.from({ length: 2500 }, (_, i) => `k${i}`));
    expect(keysOf((await conflicts('--json', '--count', '2200')).stdout)).toEqual(keysOf(stdout).slice(300));
    expect(keysOf((await conflicts('--json', '--key', 'k17')).stdout)).toEqual(['k17']);
  });

  test.each(['SIGINT', 'SIGTERM'] as const)(
    'goes on with --follow until %s, and ends with 0',
    async (signal) => {
      await meet('before');
      running = startCli(['conflicts', '--follow', '--json', '--key', '[bd]*'], settings());
      await until('what is listed to be shown', () => running!.output().includes('before'));
      await meet('other', 'during');
      await until('the new conflict to be shown', () => running!.output().includes('during'));
      const { code, stdout, stderr } = await running.end(signal);
      expect([code, stderr]).toEqual([0, '']);
      expect(keysOf(stdout)).toEqual(['before', 'during']);
    },
  );

  test('ends quietly when nobody reads on', async () => {
    const pipeline = pair.east.redis.pipeline();
    for (let i = 0; i < 5000; i++) pipeline.xadd(KEYS.conflicts, '*', 'key', 'x'.repeat(100), 'database', 0);
    await pipeline.exec();
    const script = '"$0" "$1" conflicts | head -n 1; exit "${PIPESTATUS[0]}"';
    const printed = execFileSync('bash', ['-c', script, process.execPath, CLI], {
      env: { PATH: process.env['PATH'], ...settings() },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    expect(printed.toString().trim().split('\n')).toHaveLength(1);
  });

  test('ends with 3 when the server cannot be reached, and with 2 at a wrong number', async () => {
    const away = await runCli(['conflicts'], settings({ TANDEM_LOCAL_URL: 'redis://127.0.0.1:1' }));
    expect(away).toMatchObject({ code: 3, stdout: '' });
    expect(away.stderr).toMatch(/^tandem: 127\.0\.0\.1:1 .*\n {2}→ Check host and port/);
    expect(await conflicts('--count', 'many')).toMatchObject({ code: 2, stdout: '' });
  });

  test.each([
    [
      'another pair',
      { TANDEM_PAIR: 'orders' },
      /belongs to pair test, and pair orders has never worked here/,
    ],
    ['the peer', { TANDEM_SITE: 'west', TANDEM_PEER: 'east' }, /is that of site east, not of west/],
    ['another site', { TANDEM_SITE: 'north' }, /is that of site east, not of north/],
  ])('ends with 6 at a Redis of %s', async (_, changed, message) => {
    const { code, stdout, stderr } = await runCli(['conflicts'], settings(changed));
    expect([code, stdout]).toEqual([6, '']);
    expect(stderr).toMatch(message);
  });
});

test('the log tells of conflicts without keys and values, and of all of them', async () => {
  const names = Array.from({ length: 200 }, (_, i) => `private:${i}`);
  await meet(...names);
  const told = (): number =>
    pair.east.log
      .filter(({ msg }) => msg === 'concurrent writes were met')
      .reduce((sum, { notShown }) => sum + 1 + Number(notShown), 0);
  // A line in ten seconds tells of all since the one before, also of those of the tests above.
  const counted = Object.values((await statusOf(pair.east)).conflicts).reduce((sum, n) => sum + n, 0);
  expect(counted).toBeGreaterThanOrEqual(names.length);
  await until('every conflict to be told of', () => told() >= counted, { deadlineMs: 30_000 });
  expect(told()).toBe(counted);
  expect(JSON.stringify(pair.east.log)).not.toContain('private:');
});
