import { execFile, spawnSync } from 'node:child_process';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { expectEqual } from '../support/equal.js';
import { type Pair, type Site, startPair } from '../support/pair.js';
import { quiet } from '../support/quiet.js';
import { CLI } from '../support/tandem-process.js';
import { ownKeys, statusOf } from './observe.js';
import { runCli, type Outcome } from './run-cli.js';

let pair: Pair;
beforeEach(async () => {
  pair = await startPair();
});
afterEach(() => pair.close());

function settings(site: Site, server = site.server): Record<string, string> {
  const peer = site === pair.east ? pair.west : pair.east;
  return {
    TANDEM_PAIR: pair.name,
    TANDEM_SITE: site.name,
    TANDEM_PEER: peer.name,
    TANDEM_LOCAL_URL: server.url,
    TANDEM_PEER_URL: peer.server.url,
  };
}

function unpair(site: Site, ...args: string[]): Promise<Outcome> {
  return runCli(['unpair', ...args], settings(site));
}

interface Removed {
  removed: { database: number; name: string; type: string; entries: number | null; bytes: number | null }[];
}

/** What must stay: data, in every database, and names that begin nearly alike. */
const OTHERS = [
  'data',
  'tandem',
  'tandem:{test}',
  'tandem:{test2}:state',
  'tandem:{tes}:state',
  'x:tandem:{test}:y',
];

test('removes what is ours in every database, says what, and touches nothing else; a new start pairs afresh', async () => {
  const { east, west } = pair;
  await east.redis.set('before', '1');
  await quiet(pair);
  for (const site of [east, west]) await site.kill('SIGTERM');
  const elsewhere = east.server.client({ db: 5 });
  for (const redis of [east.redis, elsewhere]) for (const key of OTHERS) await redis.set(key, 'stays');
  await elsewhere.rpush(`${ownKeys().prefix}jobs:a b\n`, '1', '2', '3');
  await east.redis.hset(`${ownKeys().prefix}jobs:queues`, 'q', '1');

  const { code, stdout } = await unpair(east, '--yes', '--json');
  expect(code).toBe(0);
  const { removed } = JSON.parse(stdout) as Removed;
  expect(removed).toContainEqual({
    database: 5,
    name: '"tandem:{test}:jobs:a b\\n"',
    type: 'list',
    entries: 3,
    bytes: expect.any(Number) as number,
  });
  expect(removed).toContainEqual(
    expect.objectContaining({ name: `${ownKeys().prefix}jobs:queues`, type: 'hash', entries: 1 }),
  );
  expect(removed.map(({ name }) => name)).toEqual(
    expect.arrayContaining([ownKeys().state, ownKeys().applied, ownKeys().fence, ownKeys().site]),
  );
  expect(removed.map(({ name }) => name)).not.toContain(ownKeys().lease);
  for (const redis of [east.redis, elsewhere]) {
    expect(await redis.keys(`${ownKeys().prefix}*`)).toEqual([]);
    expect(await redis.exists(...OTHERS)).toBe(OTHERS.length);
  }
  expect(await east.redis.get('before')).toBe('1');
  expect(await unpair(east, '--yes')).toMatchObject({
    code: 0,
    stdout: 'There are no keys of pair test here.\n',
  });
  expect(await east.redis.keys(`${ownKeys().prefix}*`)).toEqual([]);
  expect((await unpair(west, '--yes')).stdout).toMatch(/^Removed \d+ keys \(\S+ KiB\)\. /);

  // Both hold the same data, as before any first start.
  await west.redis.flushall();
  await east.redis.flushall();
  for (const site of [east, west]) site.start();
  await quiet(pair);
  await Promise.all([east.redis.incrby('sum', 7), west.redis.incrby('sum', 5)]);
  await quiet(pair);
  await expectEqual(east.redis, west.redis);
  expect(await east.redis.get('sum')).toBe('12');
  for (const site of [east, west]) expect((await statusOf(site)).gap).toBe(false);
});

test('of one site alone leaves a gap, which the other one reports, and changes cross again', async () => {
  const { east, west } = pair;
  await east.kill('SIGTERM');
  expect((await unpair(east, '--yes')).code).toBe(0);
  east.start();
  await west.waitForLog(
    'changes that the peer has not received are here no more: the sites must be compared',
  );
  await quiet(pair);
  await expectEqual(east.redis, west.redis);
});

test('refuses while a process works, without being told to when nobody can be asked, and at the other site', async () => {
  const { east, west } = pair;
  const working = await unpair(east, '--yes');
  expect([working.code, working.stdout, working.stderr]).toEqual([
    8,
    '',
    expect.stringMatching(/^tandem: a process works for site east\n {2}→ stop it first/),
  ]);
  await quiet(pair);
  await east.kill('SIGTERM');
  const unasked = await unpair(east);
  expect([unasked.code, unasked.stderr]).toEqual([
    2,
    expect.stringMatching(/nobody to ask\n {2}→ say --yes/),
  ]);
  await west.kill('SIGTERM');
  const mistaken = await runCli(['unpair', '--yes'], {
    ...settings(east, west.server),
    TANDEM_PEER_URL: east.server.url,
  });
  expect([mistaken.code, mistaken.stderr]).toEqual([6, expect.stringMatching(/that of site west/)]);
  const { state, site, received, applied, fence } = ownKeys();
  for (const { redis } of [east, west])
    expect(await redis.exists(state, site, received, applied, fence)).toBe(5);
});

/** The program of util-linux that gives a command a terminal; others of the name take other arguments. */
const hasTerminal = /util-linux/.test(String(spawnSync('script', ['--version']).stdout));

test.skipIf(!hasTerminal)('asks on a terminal, and takes no answer for a no', async () => {
  const { east } = pair;
  await east.kill('SIGTERM');
  const before = (await east.redis.keys('*')).toSorted();
  const [declined, silent] = [await onTerminal('n\n'), await onTerminal('\u0004')];
  for (const { code, output } of [declined, silent]) {
    expect(output).toMatch(/tandem:\{test\}:state +hash +\d+ fields[^]*\? \[y\/N\]/);
    expect(output).toContain('Nothing was removed.');
    expect(code).toBe(1);
  }
  expect((await east.redis.keys('*')).toSorted()).toEqual(before);
  expect(await onTerminal('y\n')).toMatchObject({ code: 0 });
  expect(await east.redis.keys(`${ownKeys().prefix}*`)).toEqual([]);
});

/** `script` gives the command a terminal; what is typed comes behind the question. */
function onTerminal(typed: string): Promise<{ code: number; output: string }> {
  return new Promise((resolve) => {
    const command = `${process.execPath} ${CLI} unpair`;
    const child = execFile(
      'script',
      ['--quiet', '--return', '--command', command, '/dev/null'],
      { env: { PATH: process.env['PATH'], ...settings(pair.east) }, timeout: 20_000 },
      (error, output) => resolve({ code: Number(error?.code ?? 0), output }),
    );
    child.stdout?.on('data', (text: string) => {
      if (text.includes('[y/N]')) child.stdin?.end(typed);
    });
  });
}

test('takes longer than its lease where there are many keys in another database', async () => {
  const { east } = pair;
  await east.redis.set('before', '1');
  await quiet(pair);
  await east.kill('SIGTERM');
  const elsewhere = east.server.client({ db: 5 });
  await elsewhere.call('DEBUG', 'POPULATE', 500_000);
  const { code, stderr } = await runCli(['unpair', '--yes'], { ...settings(east), TANDEM_LEASE_MS: '500' });
  expect(code, stderr).toBe(0);
  for (const redis of [east.redis, elsewhere]) expect(await redis.keys('tandem:*')).toEqual([]);
});
