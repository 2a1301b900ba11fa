/** The program without pino-pretty, which is optional, beside all else that it needs. */

import { execFile, spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { CLI } from '../support/tandem-process.js';

const ENV = {
  PATH: process.env['PATH'],
  TANDEM_PAIR: 'orders',
  TANDEM_SITE: 'east',
  TANDEM_PEER: 'west',
  // Nobody is there: it says so, and waits.
  TANDEM_LOCAL_URL: 'redis://127.0.0.1:1',
  TANDEM_PEER_URL: 'redis://127.0.0.1:2',
};
const folder = mkdtempSync(join(tmpdir(), 'tandem-without-'));
const cli = join(folder, 'dist', 'cli.js');

beforeAll(() => {
  const dist = dirname(CLI);
  cpSync(dist, join(folder, 'dist'), { recursive: true });
  cpSync(join(dist, '..', 'package.json'), join(folder, 'package.json'));
  const modules = join(dist, '..', 'node_modules');
  mkdirSync(join(folder, 'node_modules'));
  for (const name of readdirSync(modules))
    if (name !== 'pino-pretty' && !name.startsWith('.'))
      symlinkSync(join(modules, name), join(folder, 'node_modules', name));
});
afterAll(() => rmSync(folder, { recursive: true }));

test('logs for people that are asked for are refused, with what to do', () => {
  const options = { env: { ...ENV, TANDEM_LOG_PRETTY: 'always' }, timeout: 30_000 };
  const { status, stdout, stderr } = spawnSync(process.execPath, [cli, 'run'], options);
  expect([status, stdout.toString()]).toEqual([2, '']);
  expect(stderr.toString()).toMatch(/pino-pretty is not installed\n {2}→ npm install pino-pretty/);
});

/** The program of util-linux that gives a command a terminal; others of the name take other arguments. */
const hasTerminal = /util-linux/.test(String(spawnSync('script', ['--version']).stdout));

test.skipIf(!hasTerminal)('on a terminal the log is JSON', async () => {
  const command = `${process.execPath} ${cli} run`;
  const output = await new Promise<string>((resolve) => {
    const args = ['--quiet', '--return', '--command', command, '/dev/null'];
    const child = execFile('script', args, { env: ENV, timeout: 30_000 }, (_, stdout) => resolve(stdout));
    child.stdout?.once('data', () => child.stdin?.end('\u0003'));
  });
  expect(JSON.parse(output.split('\n')[0]!)).toMatchObject({ level: 'info', msg: 'starting', site: 'east' });
});
