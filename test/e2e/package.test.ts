/**
 * The package as it would be published: packed, installed in an empty folder beside nothing else, compiled against and run. What the
 * package needs comes from npm's cache where it is there, as it is behind an installation of this repository.
 */

import { execFile } from 'node:child_process';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type TestServer, startServer } from '../support/server.js';

const DEADLINE_MS = 240_000;

interface Ran {
  readonly code: number;
  readonly output: string;
}

let dir: string;
let servers: TestServer[] = [];

/** What npm was told stays: where packages come from, and whom to trust. */
const ENVIRONMENT = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => !/^(TANDEM_|VITEST|NODE_ENV$)/.test(name)),
);

function run(program: string, args: readonly string[], cwd = dir): Promise<Ran> {
  const env = ENVIRONMENT;
  return new Promise((done) => {
    execFile(program, [...args], { cwd, env, timeout: DEADLINE_MS }, (error, stdout, stderr) =>
      done({ code: error === null ? 0 : Number(error.code ?? -1), output: stdout + stderr }),
    );
  });
}

async function expectToRun(program: string, args: readonly string[], cwd = dir): Promise<string> {
  const { code, output } = await run(program, args, cwd);
  expect(code, `${program} ${args.join(' ')}\n${output}`).toBe(0);
  return output;
}

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'tandem-package-'));
  await expectToRun('npm', ['pack', '--ignore-scripts', '--pack-destination', dir], process.cwd());
  const tarball = readdirSync(dir).find((name) => name.endsWith('.tgz'))!;
  writeFileSync(join(dir, 'package.json'), JSON.stringify({ private: true, type: 'module' }));
  const quiet = ['--prefer-offline', '--no-audit', '--no-fund', '--ignore-scripts'];
  await expectToRun('npm', ['install', ...quiet, `./${tarball}`]);
  // What a TypeScript program has beside it.
  mkdirSync(join(dir, 'node_modules/@types'), { recursive: true });
  for (const name of ['@types/node', 'typescript'])
    symlinkSync(resolve('node_modules', name), join(dir, 'node_modules', name));
  servers = await Promise.all([startServer(), startServer()]);
}, DEADLINE_MS);

afterAll(async () => {
  await Promise.all(servers.map((server) => server.stop()));
  rmSync(dir, { recursive: true, force: true });
});

test('it has the program, the declarations and the licence, and no sources, tests or maps', () => {
  const files = readdirSync(join(dir, 'node_modules/tandem'), { recursive: true }).map(String);
  for (const name of ['dist/cli.js', 'dist/index.d.ts', 'LICENSE', 'README.md', 'CHANGELOG.md'])
    expect(files).toContain(name);
  expect(files.filter((name) => /^(src|test|scripts)\b|\.map$/.test(name))).toEqual([]);
});

test('`npx tandem` runs the command', async () => {
  expect(await expectToRun('npx', ['--no-install', 'tandem', '--help'])).toContain('Usage: tandem');
  const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string };
  expect(await expectToRun('npx', ['--no-install', 'tandem', '--version'])).toBe(`${version}\n`);
});

const PROGRAM = `
import { startSite, TandemError, type RunningSite, type SiteSettings } from 'tandem';

const [eastUrl = '', westUrl = ''] = process.argv.slice(2);
const pair = { pair: 'shop', heartbeatMs: 20 } satisfies Partial<SiteSettings>;
const east: RunningSite = await startSite({ ...pair, site: 'east', peer: 'west', localUrl: eastUrl, peerUrl: westUrl });
const west = await startSite({ ...pair, site: 'west', peer: 'east', localUrl: westUrl, peerUrl: eastUrl });
east.on('state', (state, reasons) => console.log(state, reasons.length));
west.on('conflict', ({ key, theirTime }) => console.log(key.toString(), theirTime.getTime()));
west.on('gap', (isOpen: boolean) => console.log(isOpen));
await Promise.all([east.untilReady({ timeoutMs: 120_000 }), west.untilReady({ timeoutMs: 120_000 })]);
await east.untilApplied({ both: true, timeoutMs: 120_000 });
const lag: number = east.status().outbound.lagMs;
await Promise.all([east.stop(), west.stop()]);
try {
  await startSite({ ...pair, site: 'east', peer: 'east', localUrl: eastUrl, peerUrl: westUrl });
} catch (error) {
  if (error instanceof TandemError) console.log(error.code, typeof lag);
}
`;

const WRONG = `
import { startSite } from 'tandem';
await startSite({ pair: 'shop', site: 'east', peer: 'west', localUrl: 'redis://a', peerUrl: 'redis://b', httpPort: 1 });
`;

function compile(file: string): Promise<Ran> {
  const strict = ['--strict', '--exactOptionalPropertyTypes', '--skipLibCheck', 'false', '--types', 'node'];
  const target = ['--module', 'nodenext', '--target', 'es2022'];
  return run(process.execPath, ['node_modules/typescript/bin/tsc', ...strict, ...target, file]);
}

test('a TypeScript program compiles against it, runs a pair, and ends by itself', async () => {
  writeFileSync(join(dir, 'program.ts'), PROGRAM);
  expect(await compile('program.ts')).toEqual({ code: 0, output: '' });
  const output = await expectToRun(process.execPath, ['program.js', ...servers.map(({ url }) => url)]);
  const lines = output.trimEnd().split('\n');
  expect(lines.filter((line) => !line.startsWith('impeded'))).toEqual([
    'ready 0',
    'ended 0',
    'CONFIG_INVALID number',
  ]);
});

test('the programs of its guide compile', async () => {
  const guide = readFileSync(join(dir, 'node_modules/tandem/docs/guide/library.md'), 'utf8');
  const programs = [...guide.matchAll(/^```ts\n([^]*?)^```$/gm)].map(([, text = '']) => text);
  expect(programs.length).toBe(2);
  for (const [at, text] of programs.entries()) {
    writeFileSync(join(dir, `guide-${at}.ts`), text);
    expect(await compile(`guide-${at}.ts`)).toEqual({ code: 0, output: '' });
  }
});

test('a setting of the command alone is no setting of a program', async () => {
  writeFileSync(join(dir, 'wrong.ts'), WRONG);
  const { code, output } = await compile('wrong.ts');
  expect(code).not.toBe(0);
  expect(output).toContain('httpPort');
});

test('nothing but what is exported can be imported', async () => {
  writeFileSync(join(dir, 'deep.mjs'), "await import('tandem/dist/site/site.js');");
  expect((await run(process.execPath, ['deep.mjs'])).output).toContain('ERR_PACKAGE_PATH_NOT_EXPORTED');
});
