import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Lets half of the looks at keys of the processes with this environment be in vain, as on keys that are written all the time. */
export class FailingLooks {
  readonly #folder = mkdtempSync(join(tmpdir(), 'tandem-looks-'));
  readonly #file = join(this.#folder, 'failing');

  get env(): Record<string, string> {
    const hook = fileURLToPath(new URL('failing-looks.mjs', import.meta.url));
    return { NODE_OPTIONS: `--import=${hook}`, FAILING_LOOKS: this.#file };
  }

  begin(): void {
    writeFileSync(this.#file, '');
  }

  /** What is asked for to and fro comes to an end from now on. */
  end(): void {
    rmSync(this.#file, { force: true });
  }

  remove(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
