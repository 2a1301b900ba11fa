import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Half, or another share, of the keys that processes with this environment watch count as given up, as on keys that are written all the time. */
export class FailingWatches {
  readonly #folder = mkdtempSync(join(tmpdir(), 'tandem-watches-'));
  readonly #file = join(this.#folder, 'failing');

  get env(): Record<string, string> {
    const hook = fileURLToPath(new URL('failing-watches.mjs', import.meta.url));
    return { NODE_OPTIONS: `--import=${hook}`, FAILING_WATCHES: this.#file };
  }

  begin(share = 0.5): void {
    // A process that reads it meanwhile finds the old file or the new one.
    writeFileSync(`${this.#file}.new`, String(share));
    renameSync(`${this.#file}.new`, this.#file);
  }

  /** What is asked for to and fro comes to an end from now on. */
  end(): void {
    rmSync(this.#file, { force: true });
  }

  remove(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
