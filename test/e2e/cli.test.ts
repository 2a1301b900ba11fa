import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SETTINGS } from '../../src/config/settings.js';
import { type Pair, startPair } from '../support/pair.js';
import { type TestServer, startServer } from '../support/server.js';
import { until } from '../support/wait.js';
import { runCli } from './run-cli.js';

const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
  version: string;
};

describe('the command line', () => {
  it('tells its version', async () => {
    expect(await runCli(['--version'])).toEqual({ code: 0, stdout: `${version}\n`, stderr: '' });
  });

  it('lists its commands', async () => {
    const { code, stdout } = await runCli(['--help']);
    expect(code).toBe(0);
    for (const command of [
      'run',
      'check',
      'config',
      'status',
      'top',
      'lag',
      'conflicts',
      'verify',
      'repair',
      'jobs',
      'pause',
      'resume',
      'wait',
      'rejected',
      'unpair',
      'completion',
    ])
      expect(stdout).toMatch(new RegExp(`^ {2}${command} `, 'm'));
  });

  it('lists every setting with each command where all are asked for, behind its own options', async () => {
    const { code, stdout } = await runCli(['wait', '--help-all']);
    expect(code).toBe(0);
    for (const { flag } of SETTINGS) expect(stdout).toContain(`  --${flag} <`);
    expect(stdout.indexOf('--timeout')).toBeLessThan(stdout.indexOf(`--${SETTINGS[0]!.flag}`));
  });

  it('shows a command in a few lines, none longer than a terminal is wide', async () => {
    const { stdout } = await runCli(['wait', '--help']);
    expect(stdout).toContain('--timeout');
    expect(stdout).not.toContain('--lease-ms');
    expect(stdout.split('\n').length).toBeLessThan(20);
    expect(Math.max(...stdout.split('\n').map((line) => line.length))).toBeLessThanOrEqual(80);
  });

  it.each([[['dance']], [['run', '--dance', '1']], [['status', 'east']], [['run', '--pair']], [[]]])(
    'ends with 2 at the arguments %j',
    async (args) => {
      const { code, stderr } = await runCli(args);
      expect(code).toBe(2);
      expect(stderr).not.toBe('');
    },
  );
});

describe('tandem config', () => {
  const names = { TANDEM_PAIR: 'orders', TANDEM_SITE: 'east', TANDEM_PEER: 'west' };

  it("shows the settings, also without the other site's URL", async () => {
    const env = { ...names, TANDEM_LOCAL_URL: 'redis://:sesame@h' };
    const { code, stdout, stderr } = await runCli(['config', '--lease-ms', '7000'], env);
    expect([code, stderr]).toEqual([0, 'peerUrl is missing: run, check, adopt and unpair need it\n']);
    expect(stdout).toMatch(/^pair +orders +TANDEM_PAIR$/m);
    expect(stdout).toMatch(/^leaseMs +7000 +--lease-ms$/m);
    expect(stdout).toMatch(/^peerUrl +– +missing$/m);
    expect(stdout).not.toContain('sesame');
  });

  it('names those that are missing behind the list, and ends with 2', async () => {
    const { code, stdout, stderr } = await runCli(['config', '--json'], names);
    expect(code).toBe(2);
    expect(JSON.parse(stdout)).toMatchObject({
      site: { value: 'east', from: 'TANDEM_SITE' },
      localUrl: { value: null, from: 'missing' },
    });
    expect(stderr).toContain('localUrl (--local-url or TANDEM_LOCAL_URL): must be set');
  });
});

describe('tandem check', () => {
  let east: TestServer;
  let west: TestServer;
  beforeAll(async () => {
    [east, west] = await Promise.all([startServer({ requirepass: 'sesame' }), startServer()]);
  });
  afterAll(() => Promise.all([east.stop(), west.stop()]));

  const names = ['--pair', 'orders', '--site', 'east', '--peer', 'west'];

  it('prints a table and ends with 0 when nothing fails', async () => {
    const { code, stdout, stderr } = await runCli([
      'check',
      ...names,
      '--local-url',
      east.url,
      '--peer-url',
      west.url,
    ]);
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).toMatch(/^local \(east\)\n {2}pass {2}connection/);
    expect(stdout).toMatch(/\npeer \(west\)\n/);
    expect(stdout).not.toContain('sesame');
  });

  it('prints JSON if asked, and ends with 1 when something fails', async () => {
    const { code, stdout } = await runCli([
      'check',
      '--json',
      ...names,
      '--local-url',
      east.url,
      '--peer-url',
      'redis://127.0.0.1:1',
    ]);
    expect(code).toBe(1);
    const { ok, findings } = JSON.parse(stdout) as {
      ok: boolean;
      findings: { outcome: string; code?: string }[];
    };
    expect(ok).toBe(false);
    expect(findings.filter(({ outcome }) => outcome === 'fail')).toMatchObject([{ code: 'UNREACHABLE' }]);
  });

  it('says in a line and a hint what is wrong with the configuration', async () => {
    const { code, stdout, stderr } = await runCli([
      'check',
      ...names,
      '--local-url',
      'redis://:sesame@h/7',
      '--peer-url',
      west.url,
    ]);
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toMatch(
      /^tandem: The configuration cannot be used:\n {2}- localUrl \(--local-url\): must not name a database.*\n {2}→ /,
    );
    expect(stderr).not.toContain('sesame');
  });
});

describe('tandem status', () => {
  let pair: Pair;
  beforeAll(async () => {
    pair = await startPair({ start: false });
  });
  afterAll(() => pair.close());

  function statusOf(...args: string[]): ReturnType<typeof runCli> {
    return runCli(['status', ...args], {
      TANDEM_PAIR: pair.name,
      TANDEM_SITE: 'east',
      TANDEM_PEER: 'west',
      TANDEM_LOCAL_URL: pair.east.server.url,
      TANDEM_PEER_URL: pair.west.server.url,
    });
  }

  it('says that no process runs, and ends with 1', async () => {
    expect(await statusOf()).toMatchObject({
      code: 1,
      stdout: expect.stringMatching(/^No process runs for site east/) as string,
    });
    expect(JSON.parse((await statusOf('--json')).stdout)).toMatchObject({
      running: false,
      changeListBatches: 0,
      inboxBatches: 0,
    });
  });

  it('shows both directions while the process runs, and that it ended when it has', async () => {
    pair.east.start();
    pair.west.start();
    await until('the status to be written', async () => (await statusOf()).code === 0);
    const { stdout } = await statusOf();
    for (const part of ['site east  active', 'east → west', 'west → east', 'conflicts 0'])
      expect(stdout).toContain(part);
    expect(JSON.parse((await statusOf('--json')).stdout)).toMatchObject({
      pair: pair.name,
      site: 'east',
      peer: 'west',
      role: 'active',
      version,
    });
    expect(await pair.east.kill('SIGTERM')).toEqual({ code: 0, signal: null });
    expect((await statusOf()).code).toBe(1);
  });
});

describe('tandem run', () => {
  it('told to stop ends in order within 5 s, even if its Redis hangs', async () => {
    const pair = await startPair();
    try {
      await pair.east.waitForLog(/^active/);
      await pair.east.server.pause();
      expect(await pair.east.kill('SIGTERM')).toEqual({ code: 0, signal: null });
    } finally {
      await pair.east.server.resume();
      await pair.close();
    }
  });
});
