import type { ErrorCode } from '../errors.js';

/** What a preflight looks at: one of the servers, or both together. */
export type Subject = 'local' | 'stream' | 'peer' | 'pair';

/** One thing that was looked at. Only `fail` keeps a site from working. */
export interface Finding {
  subject: Subject;
  /** The subject of the check in a word or two: `version`, `rights`. */
  name: string;
  outcome: 'pass' | 'warn' | 'fail' | 'skipped';
  /** The finding in a sentence. */
  message: string;
  /** What to do about it. */
  advice?: string;
  /** For `fail`: the error that `tandem run` ends with. */
  code?: ErrorCode;
}

/** A finding without its subject, as the rules about one server make it. */
export type Verdict = Omit<Finding, 'subject'>;
