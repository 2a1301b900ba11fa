import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { dieWithThisProcess } from '../support/children.js';
import { CLI } from '../support/tandem-process.js';
import { within } from '../support/wait.js';

/** How a command ended, and what it printed. */
export interface Outcome {
  code: number;
  stdout: string;
  stderr: string;
}

/** A command that has not ended by then hangs. */
const DEADLINE_MS = 60_000;

/** Runs the built program to its end, in a foreign folder unless `cwd` says which, with nothing in its environment but what is given. */
export function runCli(
  args: readonly string[],
  env: Record<string, string> = {},
  deadlineMs = DEADLINE_MS,
  cwd = tmpdir(),
): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const options = {
      cwd,
      env: { PATH: process.env['PATH'], ...env },
      timeout: deadlineMs,
      killSignal: 'SIGKILL',
    } as const;
    execFile(process.execPath, [CLI, ...args], options, (error, stdout, stderr) => {
      if (error !== null && typeof error.code !== 'number')
        reject(new Error(`tandem ${args.join(' ')}: ${error.message}\n${stdout}${stderr}`));
      else resolve({ code: Number(error?.code ?? 0), stdout, stderr });
    });
  });
}

/** A command that goes on until it is told to stop. */
export interface RunningCli {
  /** What it has printed so far. */
  readonly output: () => string;
  /** What it has said on standard error so far. */
  readonly said: () => string;
  /** Resolves when it has ended by itself. */
  readonly ended: () => Promise<Outcome>;
  /** Sends a signal and resolves when the command has ended. */
  readonly end: (signal: NodeJS.Signals) => Promise<Outcome>;
}

/** Starts the built program as `runCli` does, and leaves it running. */
export function startCli(args: readonly string[], env: Record<string, string> = {}): RunningCli {
  const child = spawn(process.execPath, [CLI, ...args], {
    cwd: tmpdir(),
    env: { PATH: process.env['PATH'], ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  dieWithThisProcess(child);
  const printed = { stdout: '', stderr: '' };
  child.stdout.on('data', (chunk: Buffer) => (printed.stdout += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (printed.stderr += chunk.toString()));
  const ended = once(child, 'close').then(([code]) => Number(code));
  return {
    output: () => printed.stdout,
    said: () => printed.stderr,
    ended: async () => ({ code: await within('the command to end', DEADLINE_MS, ended), ...printed }),
    end: async (signal) => {
      child.kill(signal);
      return { code: await within('the command to end', DEADLINE_MS, ended), ...printed };
    },
  };
}
