import { spawnSync } from 'node:child_process';
import { chmodSync, cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

/** What the script takes from the machine; all else on its path is made here. */
const TOOLS = ['bash', 'dirname', 'mktemp', 'cat', 'rm', 'env'];

let dir: string;
let bin: string;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'tandem-prepare-'));
  bin = join(dir, 'bin');
  for (const folder of ['bin', 'scripts', 'node_modules']) mkdirSync(join(dir, folder));
  cpSync('scripts/prepare', join(dir, 'scripts/prepare'));
  writeFileSync(join(dir, 'package-lock.json'), '{}');
  for (const tool of TOOLS) link(tool);
  symlinkSync(process.execPath, join(bin, 'node'));
  program('id', 'echo 0');
  // Of a machine that the test must leave alone.
  for (const name of ['tee', 'chmod', 'systemctl']) program(name, 'cat >/dev/null </dev/null');
});
afterEach(() => rmSync(dir, { recursive: true }));

function link(tool: string): void {
  const { stdout } = spawnSync('sh', ['-c', `command -v ${tool}`]);
  symlinkSync(stdout.toString().trim(), join(bin, tool));
}

function program(name: string, line: string): void {
  writeFileSync(join(bin, name), `#!${join(bin, 'bash')}\n${line}\n`);
  chmodSync(join(bin, name), 0o755);
}

function prepare(): { code: number | null; output: string } {
  const { status, stdout, stderr } = spawnSync(join(bin, 'bash'), [join(dir, 'scripts/prepare')], {
    env: { PATH: bin, TMPDIR: dir },
  });
  return { code: status, output: stdout.toString() + stderr.toString() };
}

const NOISE = 'Setting up liblzf1 …';

describe('scripts/prepare, on a machine with nothing', () => {
  it('says what it installs, and nothing of what the installers say', () => {
    program('apt-get', `echo "${NOISE}"; echo "${NOISE}" >&2`);
    program('npm', `echo "${NOISE}"; echo "${NOISE}" >&2`);
    expect(prepare()).toEqual({
      code: 0,
      output: 'Installing redis-server with apt-get …\nInstalling the npm packages …\n',
    });
  });

  it.each(['apt-get', 'npm'])('shows what %s has said if it fails, and fails', (failing) => {
    for (const name of ['apt-get', 'npm'])
      program(name, name === failing ? `echo "${NOISE}"; exit 100` : `echo else`);
    const { code, output } = prepare();
    expect(code).not.toBe(0);
    expect(output).toContain(NOISE);
    expect(output).not.toContain('else');
  });
});
