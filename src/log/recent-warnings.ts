/** The newest lines of the log at `warn` or above, as they were written: secrets and user data are gone from them already. */

/** A line, taken apart. */
export interface Warning {
  /** As in the log. */
  readonly at: string;
  readonly level: string;
  readonly message: string;
  /** The other fields, but for those that each line has. */
  readonly fields: Readonly<Record<string, unknown>>;
}

/** Lines that are kept. */
const KEPT = 50;
const HEARD = /^\{"level":"(?:warn|error|fatal)"/;

export class RecentWarnings {
  readonly #lines: string[] = [];

  /** @param line of the log, in JSON */
  note(line: string): void {
    if (!HEARD.test(line)) return;
    this.#lines.push(line);
    if (this.#lines.length > KEPT) this.#lines.shift();
  }

  /** The newest first. */
  get all(): Warning[] {
    return this.#lines.toReversed().map((line) => {
      const { level, time, msg, pair: _pair, site: _site, ...fields } = JSON.parse(line) as Line;
      return { at: time, level, message: msg, fields };
    });
  }
}

interface Line {
  readonly level: string;
  readonly time: string;
  readonly msg: string;
  readonly [field: string]: unknown;
}
