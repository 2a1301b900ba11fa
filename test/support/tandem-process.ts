import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdtempSync, openSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { dieWithThisProcess } from './children.js';
import { type WaitOptions, until, within } from './wait.js';

/** One line of the log, parsed. Text that is not JSON becomes `{ level: 'text', msg }`. */
export interface LogLine {
  level: string;
  msg: string;
  [field: string]: unknown;
}

/** How a process ended: one of the two is null. */
export interface Ending {
  code: number | null;
  signal: NodeJS.Signals | null;
}

/** The built program. */
export const CLI = join(dirname(dirname(dirname(fileURLToPath(import.meta.url)))), 'dist/cli.js');

const CLOSE_DEADLINE_MS = 5_000;
const KILL_DEADLINE_MS = 5_000;
const SHOWN_LINES = 15;

/** `tandem run` as a user starts it: the built program, nothing but environment variables, a folder without any file. */
export class TandemProcess {
  /** Every line of standard output and standard error since the first start. */
  readonly log: LogLine[] = [];
  #env: NodeJS.ProcessEnv;
  readonly #name: string;
  readonly #dir = mkdtempSync(join(tmpdir(), 'tandem-site-'));
  #child: ChildProcess | undefined;
  #ending: Promise<Ending> | undefined;

  constructor(name: string, env: NodeJS.ProcessEnv) {
    this.#name = name;
    this.#env = env;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  get running(): boolean {
    return this.#child !== undefined && this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** Further settings, from the next start on. */
  set(env: Record<string, string>): void {
    this.#env = { ...this.#env, ...env };
  }

  /**
   * Starts the process. It is not ready then: wait for a log line, or for `quiet`.
   * @param isLogLost its standard output is a disk that is full
   */
  start({ isLogLost = false }: { isLogLost?: boolean } = {}): void {
    if (this.running) throw new Error(`${this.#name} is running`);
    const full = isLogLost ? openSync('/dev/full', 'w') : undefined;
    const child = spawn(process.execPath, [CLI, 'run'], {
      cwd: this.#dir,
      env: { PATH: process.env['PATH'], ...this.#env },
      stdio: ['ignore', full ?? 'pipe', 'pipe'],
    });
    if (full !== undefined) closeSync(full);
    dieWithThisProcess(child);
    for (const input of [child.stdout, child.stderr])
      if (input) createInterface({ input }).on('line', (line) => this.log.push(parse(line)));
    this.#child = child;
    this.#ending = once(child, 'close').then(([code, signal]) => ({ code, signal }));
  }

  /** Resolves when the process ends. */
  async ended(deadlineMs = KILL_DEADLINE_MS): Promise<Ending> {
    if (!this.#ending) throw new Error(`${this.#name} was never started`);
    return within(`${this.#name} to end\n${this.tail()}`, deadlineMs, this.#ending);
  }

  /** Sends a signal and waits for the end. SIGKILL by default: a crash. */
  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<Ending> {
    this.#child?.kill(signal);
    return this.ended();
  }

  /** SIGSTOP: connections stay, nothing moves. */
  pause(): void {
    this.#child?.kill('SIGSTOP');
  }

  resume(): void {
    this.#child?.kill('SIGCONT');
  }

  /** Waits for a line (of those from index `from` on) whose message is, matches or satisfies `wanted`. Fails at once if the process ends. */
  async waitForLog(
    wanted: string | RegExp | ((line: LogLine) => boolean),
    { from = 0, ...wait }: WaitOptions & { from?: number } = {},
  ): Promise<LogLine> {
    const find = (): LogLine | undefined => this.log.slice(from).find((line) => matches(line, wanted));
    try {
      await until('the log line, or the end of the process', () => find() ?? !this.running, wait);
    } catch (error) {
      throw new Error(`${this.#name}: ${String(wanted)} was not logged\n${this.tail()}`, { cause: error });
    }
    const line = find();
    if (!line) throw new Error(`${this.#name} ended before it logged ${String(wanted)}\n${this.tail()}`);
    return line;
  }

  /** The last lines of the log, for error messages. */
  tail(): string {
    return this.log
      .slice(-SHOWN_LINES)
      .map((line) => `  ${this.#name}: ${JSON.stringify(line)}`)
      .join('\n');
  }

  /** Ends the process with SIGTERM and removes its folder. Rejects, and kills it, if it takes more than 5 s or fails. */
  async close(): Promise<void> {
    try {
      if (this.running) await this.#endInOrder();
    } finally {
      rmSync(this.#dir, { recursive: true, force: true });
    }
  }

  async #endInOrder(): Promise<void> {
    this.resume();
    this.#child?.kill('SIGTERM');
    try {
      const ending = await this.ended(CLOSE_DEADLINE_MS);
      if (ending.code === 0) return;
      throw new Error(`${this.#name} ended with ${JSON.stringify(ending)} on SIGTERM\n${this.tail()}`);
    } finally {
      if (this.running) await this.kill();
    }
  }
}

function parse(line: string): LogLine {
  try {
    const parsed: unknown = JSON.parse(line);
    if (typeof parsed === 'object' && parsed !== null && 'msg' in parsed) return parsed as LogLine;
  } catch {
    // Not JSON: a crash of the runtime itself, for example.
  }
  return { level: 'text', msg: line };
}

function matches(line: LogLine, wanted: string | RegExp | ((line: LogLine) => boolean)): boolean {
  if (typeof wanted === 'function') return wanted(line);
  return typeof wanted === 'string' ? line.msg === wanted : wanted.test(line.msg);
}
