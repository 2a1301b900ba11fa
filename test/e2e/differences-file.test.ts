import { readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Pair, startPair } from '../support/pair.js';
import { quiet } from '../support/quiet.js';
import { settingsOf } from './long-jobs.js';
import { type Outcome, runCli } from './run-cli.js';

/** More than are shown where there is a file. */
const KEYS = 25;
/** Where nobody can make a file, not even root: the folder of a container whose file system is read-only is the like. */
const NOWHERE = '/proc';
const DEADLINE_MS = 60_000;

let pair: Pair;
beforeAll(async () => {
  pair = await startPair();
  const names = Array.from({ length: KEYS }, (_, i) => `key:${i}`);
  await pair.east.redis.mset(...names.flatMap((name) => [name, 'a']));
  await quiet(pair);
  const script =
    "redis.set_repl(redis.REPL_NONE) for _, key in ipairs(KEYS) do redis.call('SET', key, 'b') end";
  await pair.west.redis.eval(script, names.length, ...names);
});
afterAll(() => pair.close());

function verify(
  args: string[],
  { env = {}, cwd = tmpdir() }: { env?: Record<string, string>; cwd?: string },
) {
  return runCli(['verify', ...args], { ...settingsOf(pair, pair.east), ...env }, DEADLINE_MS, cwd);
}

/** All there is to be known is told, and the exit code is that of the comparison. */
function expectTold({ code, stdout, stderr }: Outcome): void {
  expect({ code, isTold: stdout.includes(`${KEYS} different (value ${KEYS})`) }).toEqual({
    code: 1,
    isTold: true,
  });
  expect(stderr).not.toContain('127.0.0.1');
}

test('where the present folder cannot be written, the list goes among the temporary files, and is named', async () => {
  const outcome = await verify([], { cwd: NOWHERE });
  expectTold(outcome);
  // But for how far it is, where it takes more than a second.
  expect(outcome.stderr.replace(/^verify.*\n/gm, '')).toBe('');
  const file = /The keys are listed in (\S+)\./.exec(outcome.stdout)?.[1] ?? '';
  expect(file.startsWith(tmpdir())).toBe(true);
  expect(readFileSync(file, 'utf8').trim().split('\n')).toHaveLength(KEYS);
  rmSync(dirname(file), { recursive: true });
});

test.each([
  ['no place at all', [], { cwd: NOWHERE, env: { TMPDIR: `${NOWHERE}/tmp` } }],
  ['a file that cannot be written', ['--out', `${NOWHERE}/list`], {}],
])('with %s for the list, all keys are printed, and the reason', async (_, args, where) => {
  const outcome = await verify(args, where);
  expectTold(outcome);
  expect(outcome.stderr).toMatch(/the list of keys could not be written: .*(ENOENT|EACCES).*\/proc/);
  expect(outcome.stdout.match(/^ {2}db 0 {2}value {2}key:\d+$/gm)).toHaveLength(KEYS);
  expect(outcome.stdout).not.toContain('The keys are listed');
});
