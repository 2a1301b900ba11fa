/** What the status page is told, and what it may ask for. */

import type { SiteStatus } from '../status.js';

/** A conflict of the list. Without leave to show user data there are no keys and commands in it. */
export interface ListedConflict {
  readonly id: string;
  /** ms since 1970 */
  readonly at: number;
  readonly command: string;
  readonly outcome: string;
  readonly database: number;
  readonly key?: string | undefined;
  readonly theirs?: string | undefined;
  readonly own?: string | undefined;
}

/** A change that could not be applied. */
export interface ListedRejection {
  readonly id: string;
  readonly at: number;
  readonly error: string;
  readonly tries: number;
  readonly key?: string | undefined;
  readonly command?: string | undefined;
}

export interface ListedJob {
  readonly id: string;
  readonly task: string;
  readonly state: string;
  readonly addedAt: number;
  readonly startedAt: number | null;
  readonly endedAt: number | null;
  /** Both are numbers where the kind of job tells them. */
  readonly progress: { readonly done?: unknown; readonly total?: unknown };
  readonly failure: string | null;
}

/** A line of the log at `warn` or above. */
export interface ListedWarning {
  readonly at: string;
  readonly level: string;
  readonly message: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

/** What a person can do on the page. */
export type PageAction =
  | { readonly kind: 'pause'; readonly direction: 'outbound' | 'inbound' }
  | { readonly kind: 'resume'; readonly direction: 'outbound' | 'inbound' }
  | { readonly kind: 'retry'; readonly id: string }
  | { readonly kind: 'drop'; readonly id: string };

export interface PageSource {
  /** Whether keys and commands may be shown. */
  readonly showsData: boolean;
  readonly status: () => SiteStatus;
  readonly warnings: () => readonly ListedWarning[];
  /** The newest first. @param pattern a glob, as Redis' own, for the key; where data is not shown, for the command */
  readonly conflicts: (pattern: string) => Promise<readonly ListedConflict[]>;
  readonly rejected: () => Promise<{ readonly total: number; readonly entries: readonly ListedRejection[] }>;
  readonly jobs: () => Promise<readonly ListedJob[]>;
  readonly act: (action: PageAction) => Promise<void>;
}
