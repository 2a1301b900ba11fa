import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import type { SiteStatus } from '../../src/observe/status.js';
import { dieWithThisProcess } from '../support/children.js';
import { startPair } from '../support/pair.js';
import { freePort } from '../support/ports.js';
import { CLI } from '../support/tandem-process.js';
import { until, within } from '../support/wait.js';
import { QUICK } from './observe.js';
import { runCli } from './run-cli.js';

/** What is around a process, and is not as it should be: the disk of its log, its files, its Node.js. */
let undo: (() => unknown)[] = [];

afterEach(async () => {
  for (const step of undo.toReversed()) await step();
  undo = [];
});

/** Runs the program with its standard output on a full disk. */
async function withFullDisk(args: string[], env: Record<string, string>, meanwhile?: () => Promise<void>) {
  const full = openSync('/dev/full', 'w');
  const child = spawn(process.execPath, [CLI, ...args], {
    cwd: tmpdir(),
    env: { PATH: process.env['PATH'], ...env },
    stdio: ['ignore', full, 'pipe'],
  });
  closeSync(full);
  dieWithThisProcess(child);
  let said = '';
  child.stderr!.on('data', (chunk: Buffer) => (said += chunk.toString()));
  const ended = once(child, 'close');
  await meanwhile?.();
  if (meanwhile) child.kill('SIGTERM');
  const [code] = (await within('the program to end', 10_000, ended)) as [number | null];
  return { code, said };
}

describe('a log on a full disk', () => {
  test('does not keep a process from its work, nor from ending in order', async () => {
    const pair = await startPair({ start: false, env: { ...QUICK, TANDEM_LOG_LEVEL: 'debug' } });
    undo.push(() => pair.close());
    pair.west.start();
    const port = await freePort();
    const env = {
      ...QUICK,
      TANDEM_PAIR: pair.name,
      TANDEM_SITE: 'east',
      TANDEM_PEER: 'west',
      TANDEM_LOCAL_URL: pair.east.server.url,
      TANDEM_PEER_URL: pair.west.server.url,
      TANDEM_LOG_LEVEL: 'debug',
      TANDEM_HTTP_PORT: String(port),
    };
    const { code, said } = await withFullDisk(['run'], env, async () => {
      await pair.east.redis.set('a', '1');
      await pair.west.redis.set('b', '2');
      await until('both to cross', async () => {
        const crossed = [await pair.west.redis.get('a'), await pair.east.redis.get('b')];
        return crossed.join() === '1,2';
      });
      const status = (await (await fetch(`http://127.0.0.1:${port}/status`)).json()) as SiteStatus;
      expect(status.logLinesLost).toBeGreaterThan(5);
    });
    expect({ code, said }).toEqual({ code: 0, said: '' });
  });

  test('and what a command prints there, is told in one line', async () => {
    const { code, said } = await withFullDisk(['check', '--help'], {});
    expect({ code, said }).toEqual({
      code: 1,
      said: 'tandem: the output could not be written (ENOSPC)\n',
    });
  });
});

describe('files of TLS that do not fit', () => {
  test.each([['run'], ['check'], ['status'], ['verify'], ['jobs'], ['unpair']])(
    'are named by tandem %s, with the exit code of a wrong setting',
    async (verb) => {
      const dir = mkdtempSync(join(tmpdir(), 'tandem-surroundings-'));
      undo.push(() => rmSync(dir, { recursive: true }));
      const make = (name: string): void => {
        const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
        const files = ['-keyout', `${dir}/${name}.key`, '-out', `${dir}/${name}.crt`];
        execFileSync('openssl', ['req', '-x509', ...key, ...files, '-days', '2', '-subj', '/CN=x'], {
          stdio: 'ignore',
        });
      };
      make('one');
      make('two');
      writeFileSync(join(dir, 'ca.pem'), 'garbage');
      const { code, stderr } = await runCli([verb], {
        TANDEM_PAIR: 'p',
        TANDEM_SITE: 'east',
        TANDEM_PEER: 'west',
        TANDEM_LOCAL_URL: 'rediss://127.0.0.1:1',
        TANDEM_PEER_URL: 'rediss://127.0.0.1:2',
        TANDEM_TLS_CA_FILE: join(dir, 'ca.pem'),
        TANDEM_TLS_CERT_FILE: join(dir, 'one.crt'),
        TANDEM_TLS_KEY_FILE: join(dir, 'two.key'),
      });
      expect(code).toBe(2);
      expect(stderr).toMatch(/tls\.keyFile: the key in .*two\.key does not belong to the first/);
      expect(stderr).toMatch(/tls\.caFile: .*ca\.pem holds no certificate/);
    },
  );
});

describe('a Node.js that is too old', () => {
  test('is told in one line by the first file, which imports nothing before', () => {
    const oldest = (JSON.parse(readFileSync(join(CLI, '../../package.json'), 'utf8')) as { engines: object })
      .engines;
    expect(oldest).toEqual({ node: '>=20.19' });
    expect(readFileSync(CLI, 'utf8')).not.toMatch(/^import |^export .* from|^\s*await /m);
    for (const [version, isOld] of [
      ['16.20.2', true],
      ['20.18.3', true],
      ['20.19.0', false],
      ['24.1.0', false],
    ] as const) {
      const pretended = `Object.defineProperty(process.versions, 'node', { value: '${version}' })`;
      const args = ['--import', `data:text/javascript,${encodeURIComponent(pretended)}`, CLI, '--version'];
      const said = outcomeOf(args);
      if (isOld) {
        const line = `tandem: Node.js 20.19 or newer is needed; this is ${version}\n`;
        expect(said).toEqual({ code: 5, output: '', said: line });
      } else expect(said).toMatchObject({ code: 0, said: '' });
    }
  });
});

function outcomeOf(args: string[]): { code: number; output: string; said: string } {
  try {
    const output = execFileSync(process.execPath, args, { encoding: 'utf8', stdio: 'pipe' });
    return { code: 0, output, said: '' };
  } catch (error) {
    const { status, stdout, stderr } = error as { status: number; stdout: string; stderr: string };
    return { code: status, output: stdout, said: stderr };
  }
}
