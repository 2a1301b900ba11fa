import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { stripVTControlCharacters } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { dieWithThisProcess } from '../support/children.js';
import { type Pair, startPair } from '../support/pair.js';
import { CLI } from '../support/tandem-process.js';
import { until, within } from '../support/wait.js';
import { type RunningCli, startCli } from './run-cli.js';

let pair: Pair;
beforeAll(async () => {
  pair = await startPair({ start: false });
});
afterAll(() => pair.close());

function settings(): Record<string, string> {
  return {
    TANDEM_PAIR: pair.name,
    TANDEM_SITE: 'east',
    TANDEM_PEER: 'west',
    TANDEM_LOCAL_URL: pair.east.server.url,
  };
}

const lines = (output: string): string[] => output.split('\n').filter((line) => line !== '');

/** Waits until it has printed something new that matches. What it has printed is told when it does not come, and the command ended. */
async function shows(watching: RunningCli, what: string, pattern: RegExp, from = 0): Promise<void> {
  try {
    await until(what, () => pattern.test(lines(watching.output()).slice(from).join('\n')));
  } catch (error) {
    await watching.end('SIGKILL');
    throw new Error(`${(error as Error).message}\n${watching.output()}\n${watching.said()}`, {
      cause: error,
    });
  }
}

test('in a pipe it prints a line a second, goes on while nothing runs or answers, and ends with 0 at a signal', async () => {
  // Shorter than the default, so that it is heard soon; long enough for a busy machine.
  const watching = startCli(['status', '--watch', '--command-timeout-ms', '3000'], settings());
  await shows(watching, 'it to say that no process runs', /no process runs for site east/);
  for (const site of [pair.east, pair.west]) site.start();
  await shows(
    watching,
    'it to show both directions',
    /^\S+Z {2}east → west (streaming|caught-up), lag .* {2}west → east .*$/m,
  );
  await pair.east.server.pause();
  try {
    await shows(watching, 'it to say that the server does not answer', /does not answer in time/);
  } finally {
    await pair.east.server.resume();
  }
  const seen = lines(watching.output()).length;
  await shows(watching, 'it to go on', /east → west/, seen + 1);
  const { code, stderr } = await watching.end('SIGINT');
  expect([code, stderr]).toEqual([0, '']);
  for (const line of lines(watching.output())) expect(line).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z {2}\S/);
}, 120_000);

test('as JSON it prints the status each time', async () => {
  const watching = startCli(['top', '--json'], settings());
  await shows(watching, 'two lines', /\n/);
  const { code } = await watching.end('SIGTERM');
  expect(code).toBe(0);
  for (const line of lines(watching.output())) expect(JSON.parse(line)).toMatchObject({ site: 'east' });
});

/** The program of util-linux that gives a command a terminal; others of the name take other arguments. */
const hasTerminal = /util-linux/.test(String(spawnSync('script', ['--version']).stdout));

test.skipIf(!hasTerminal).each([['q'], ['\u0003']])(
  'on a terminal it is drawn over each second, and %j ends it and brings back what stood there',
  async (key) => {
    const command = `stty rows 40 cols 60; ${process.execPath} ${CLI} top`;
    const child = spawn('script', ['--quiet', '--return', '--flush', '--command', command, '/dev/null'], {
      env: { PATH: process.env['PATH'], TERM: 'xterm', ...settings() },
      stdio: 'pipe',
    });
    dieWithThisProcess(child);
    let output = '';
    child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
    const closed = once(child, 'close');
    await until('three pictures', () => output.split('\u001B[H').length > 3);
    child.stdin.write(key);
    const [code] = (await within('it to end', 10_000, closed)) as [number];
    expect(code, output).toBe(0);
    const pictures = output.split('\u001B[H').slice(1).map(stripVTControlCharacters);
    for (const picture of pictures) {
      expect(picture).toMatch(/east → west[^]*change list[^]*west → east[^]*inbox[^]*memory[^]*peer/);
      for (const line of picture.split(/\r*\n/)) expect(line.length).toBeLessThanOrEqual(60);
    }
    expect(output.indexOf('\u001B[?1049h')).toBeLessThan(output.indexOf('\u001B[?1049l'));
    expect(output.trimEnd().endsWith('\u001B[?25h\u001B[?1049l')).toBe(true);
  },
);
