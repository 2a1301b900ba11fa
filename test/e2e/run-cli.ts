import { execFile } from 'node:child_process';
import { tmpdir } from 'node:os';
import { CLI } from '../support/tandem-process.js';

/** How a command ended, and what it printed. */
export interface Outcome {
  code: number;
  stdout: string;
  stderr: string;
}

/** A command that has not ended by then hangs. */
const DEADLINE_MS = 20_000;

/** Runs the built program to its end, in a foreign folder, with nothing in its environment but what is given. */
export function runCli(args: readonly string[], env: Record<string, string> = {}): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const options = {
      cwd: tmpdir(),
      env: { PATH: process.env['PATH'], ...env },
      timeout: DEADLINE_MS,
      killSignal: 'SIGKILL',
    } as const;
    execFile(process.execPath, [CLI, ...args], options, (error, stdout, stderr) => {
      if (error !== null && typeof error.code !== 'number')
        reject(new Error(`tandem ${args.join(' ')}: ${error.message}\n${stdout}${stderr}`));
      else resolve({ code: Number(error?.code ?? 0), stdout, stderr });
    });
  });
}
