import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { dieWithThisProcess } from './children.js';
import type { ServerRun } from './server.js';
import { within } from './wait.js';

/** The port was free when it was chosen, and no longer when the server wanted it. */
export class PortTakenError extends Error {
  constructor(port: number) {
    super(`port ${port} is taken`);
    this.name = 'PortTakenError';
  }
}

const END_DEADLINE_MS = 10_000;
const OUTPUT_LIMIT_CHARS = 8_000;

/** One server process of this machine. It dies with this one, however this one ends. */
export class ProgramRun implements ServerRun {
  readonly #child: ChildProcess;
  readonly #end: Promise<unknown>;
  #output = '';
  #ended = false;

  constructor(
    path: string,
    args: string[],
    dir: string,
    { survivesFileLimit = false }: { survivesFileLimit?: boolean } = {},
  ) {
    // Only what a shell ignores stays ignored in what it becomes: Node gives its children every signal back.
    const words = survivesFileLimit
      ? ['sh', '-c', 'trap "" XFSZ; exec "$0" "$@"', path, ...args]
      : [path, ...args];
    this.#child = spawn(words[0]!, words.slice(1), { cwd: dir, stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.#output = (this.#output + text).slice(-OUTPUT_LIMIT_CHARS);
      });
    }
    dieWithThisProcess(this.#child);
    this.#child.once('error', (error) => {
      this.#output += String(error);
    });
    this.#end = once(this.#child, 'close')
      .catch(() => undefined)
      .finally(() => {
        this.#ended = true;
      });
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  output(): string {
    return this.#output;
  }

  ended(): boolean {
    return this.#ended;
  }

  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await within('a killed server to end', END_DEADLINE_MS, this.#end);
  }

  async halt(): Promise<void> {
    this.#child.kill('SIGCONT');
    this.#child.kill('SIGTERM');
    await within('a server to end in order', END_DEADLINE_MS, this.#end);
  }

  async pause(): Promise<void> {
    this.#child.kill('SIGSTOP');
  }

  async resume(): Promise<void> {
    this.#child.kill('SIGCONT');
  }
}
