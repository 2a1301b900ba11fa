/** What `scripts/demo` shows is held to: it ends with 0 only if all of it held, and leaves nothing behind. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { expect, test } from 'vitest';
import { dieWithThisProcess } from '../support/children.js';
import { findServer } from '../support/find-server.js';
import { freePort } from '../support/ports.js';
import { within } from '../support/wait.js';

const COLUMNS = 80;
const DEADLINE_MS = 60_000;

interface Shown {
  readonly code: number;
  readonly output: string;
}

async function showDemo(...args: string[]): Promise<Shown> {
  const child = spawn(process.execPath, ['scripts/demo.mjs', ...args], {
    env: { PATH: process.env['PATH'], TANDEM_TEST_REDIS: process.env['TANDEM_TEST_REDIS'] },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  dieWithThisProcess(child);
  let output = '';
  for (const part of [child.stdout, child.stderr])
    part.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const ended = once(child, 'close');
  try {
    const [code] = (await within('the demo to end', DEADLINE_MS, ended)) as [number];
    return { code, output };
  } finally {
    // Told in order, it ends what it has started.
    if (child.exitCode === null) child.kill('SIGTERM');
    await ended;
  }
}

async function fourPorts(): Promise<number[]> {
  return [await freePort(), await freePort(), await freePort(), await freePort()];
}

/** Whether nobody listens there. */
function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer().once('error', () => resolve(false));
    probe.listen(port, '127.0.0.1', () => probe.close(() => resolve(true)));
  });
}

const { kind } = await findServer();

test.skipIf(kind === 'image')(
  'the demo shows each step, in 80 columns, ends with 0, and leaves no server',
  async () => {
    const ports = await fourPorts();
    const { code, output } = await showDemo('--once', '--ports', ports.join(','));
    expect({ code, output }).toMatchObject({ code: 0 });
    expect(output.match(/^\d+\. /gm)).toEqual(['1. ', '2. ', '3. ', '4. ', '5. ', '6. ', '7. ']);
    expect(output).toMatch(/\n {3}\$ tandem conflicts\n {3}│ .*"colour/);
    expect(output).toContain(`http://127.0.0.1:${ports[2]}`);
    expect(output.trimEnd().endsWith('All of it held.')).toBe(true);
    expect(output.split('\n').filter((line) => line.length > COLUMNS)).toEqual([]);
    expect(await Promise.all(ports.map(isFree))).toEqual([true, true, true, true]);
  },
);

test.skipIf(kind === 'image')('the demo says which port is taken, and ends with 1', async () => {
  const ports = await fourPorts();
  const taken = createServer().listen(ports[3], '127.0.0.1');
  await once(taken, 'listening');
  try {
    const { code, output } = await showDemo('--once', '--ports', ports.join(','));
    expect(code).toBe(1);
    expect(output).toContain(`port ${ports[3]}, which the status page of west needs, is taken`);
  } finally {
    taken.close();
  }
});

test.each([
  ['--ports, with blanks', ['--ports', '1', '2', '3', '4'], 'Unexpected argument'],
  ['--ports without any', ['--ports'], 'argument missing'],
  ['three ports', ['--ports', '1,2,3'], '--ports takes four, with commas'],
  ['what is not known', ['--onec'], "Unknown option '--onec'"],
])('the demo refuses %s in a sentence, and says how it is called', async (_, args, said) => {
  const { code, output } = await showDemo(...args);
  expect(code).toBe(2);
  expect(output).toContain(said);
  expect(output).toContain('scripts/demo [--once]');
  expect(output).not.toMatch(/^ {4}at /m);
});
