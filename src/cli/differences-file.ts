import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** What the file is called when nobody has named it. */
const DEFAULT_FILE = 'tandem-differences.jsonl';

/** Where the list went, and why not to where it should have gone. */
export interface WrittenList {
  /** Undefined: nowhere. */
  readonly file: string | undefined;
  /** One line for each place that failed, with the reason of the system. */
  readonly failures: readonly string[];
}

/**
 * Writes the list to the file that was named, or to one in the present folder; where that is read-only, as in a container, to a new
 * folder among the temporary files. It never throws: what was found is told all the same.
 */
export function writeDifferences(text: string, named: string | undefined): WrittenList {
  const places = named === undefined ? [() => DEFAULT_FILE, temporaryFile] : [() => named];
  const failures: string[] = [];
  for (const place of places) {
    try {
      const file = place();
      writeFileSync(file, text);
      return { file, failures };
    } catch (error) {
      failures.push(error instanceof Error ? error.message : String(error));
    }
  }
  return { file: undefined, failures };
}

/** In a folder of its own: a name that others can guess may lead elsewhere. */
function temporaryFile(): string {
  return join(mkdtempSync(join(tmpdir(), 'tandem-')), DEFAULT_FILE);
}
