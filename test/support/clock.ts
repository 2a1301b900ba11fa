import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { TandemProcess } from './tandem-process.js';

/**
 * The wall clock of one process, as its machine would have it: the program itself is unchanged, a preload shifts `Date.now`.
 * The clocks of the servers stay right.
 */
export class ProcessClock {
  readonly #dir = mkdtempSync(join(tmpdir(), 'tandem-clock-'));

  constructor(aheadMs: number) {
    this.#write(aheadMs);
  }

  get #file(): string {
    return join(this.#dir, 'ahead-ms');
  }

  /** What the process must find in its environment. */
  get env(): Record<string, string> {
    const preload = fileURLToPath(new URL('clock.mjs', import.meta.url));
    return { NODE_OPTIONS: `--import=${preload}`, CLOCK_FILE: this.#file };
  }

  /** Sets the clock of the process, which runs. */
  set(process_: TandemProcess, aheadMs: number): void {
    this.#write(aheadMs);
    process.kill(process_.pid!, 'SIGUSR2');
  }

  close(): void {
    rmSync(this.#dir, { recursive: true, force: true });
  }

  #write(aheadMs: number): void {
    writeFileSync(this.#file, String(aheadMs));
  }
}
