/**
 * Every code an error of Tandem can carry, with the exit code of a process that ends because of it, whether the
 * condition can pass without anybody's help (then the work is tried again with back-off), and what it means.
 * The table of docs/reference/commands.md is this table.
 */
export const ERROR_CODES = {
  CONFIG_INVALID: {
    exitCode: 2,
    passes: false,
    meaning: 'The configuration has unknown, missing, wrong or contradictory settings.',
  },

  UNREACHABLE: { exitCode: 3, passes: true, meaning: 'A Redis cannot be reached, or the connection broke.' },
  TIMEOUT: {
    exitCode: 3,
    passes: true,
    meaning: 'A Redis, or the other side of a step, did not answer in time.',
  },
  SERVER_BUSY: {
    exitCode: 3,
    passes: true,
    meaning: 'A Redis answers, but cannot serve now: loading, busy, out of memory, read only.',
  },
  CLOSED: {
    exitCode: 3,
    passes: true,
    meaning: 'The work was stopped, or its connection closed, before it was done.',
  },

  AUTH_FAILED: {
    exitCode: 4,
    passes: false,
    meaning: 'A Redis refuses the user name or the password, asks for one, or has none where one is given.',
  },
  NO_PERMISSION: {
    exitCode: 4,
    passes: false,
    meaning:
      'The account lacks a right that Tandem needs, or the server lets nobody in from here (protected mode).',
  },
  TLS_FAILED: {
    exitCode: 4,
    passes: false,
    meaning: 'A Redis and Tandem do not agree about TLS: certificate, authority, or TLS at all.',
  },

  NOT_A_PRIMARY: {
    exitCode: 5,
    passes: false,
    meaning: 'The URL is that of a replica; Tandem writes, so it needs the primary.',
  },
  UNSUPPORTED_VERSION: {
    exitCode: 5,
    passes: false,
    meaning: 'The server is older than Redis 6.2, or is not a Redis.',
  },
  UNSUPPORTED_MODE: {
    exitCode: 5,
    passes: false,
    meaning:
      'The server runs in a mode that Tandem does not replicate yet, such as cluster mode, or lacks a command that Tandem needs.',
  },

  SAME_SITE: { exitCode: 6, passes: false, meaning: 'Both ends are one Redis, or carry one site name.' },
  WRONG_PAIR: {
    exitCode: 6,
    passes: false,
    meaning: 'The other end belongs to another pair, or to another site than the configured peer.',
  },

  SITES_DIFFER: {
    exitCode: 6,
    passes: false,
    meaning:
      'Both sites had data before they became a pair, and it differs; nobody has said whose is to stay.',
  },

  STREAM_REFUSED: {
    exitCode: 7,
    passes: false,
    meaning: 'The server does not let Tandem read its replication stream.',
  },
  STREAM_INVALID: {
    exitCode: 7,
    passes: false,
    meaning: 'The replication stream holds bytes that Tandem does not understand.',
  },
  STREAM_GAP: {
    exitCode: 7,
    passes: false,
    meaning: 'The replication stream no longer reaches back to the saved position.',
  },
  STATE_LOST: {
    exitCode: 7,
    passes: false,
    meaning: "Tandem's own keys are missing or contradict one another.",
  },
  BATCH_INVALID: { exitCode: 7, passes: false, meaning: 'A batch of changes is damaged.' },
  BATCH_VERSION: {
    exitCode: 7,
    passes: false,
    meaning: 'A batch is of a format that this version of Tandem does not know.',
  },
  EPOCH: {
    exitCode: 7,
    passes: false,
    meaning: "A batch belongs to another epoch of its origin's history than expected.",
  },

  FENCED: { exitCode: 8, passes: true, meaning: 'Another process holds the lease of this site.' },
  PEER_NOT_READY: {
    exitCode: 8,
    passes: true,
    meaning: "The other site's process has not registered at its Redis yet.",
  },
  NOT_RUNNING: { exitCode: 8, passes: true, meaning: 'No process works for this site.' },

  INTERNAL: { exitCode: 1, passes: false, meaning: 'A mistake in Tandem itself.' },
} as const satisfies Record<string, { exitCode: number; passes: boolean; meaning: string }>;

export type ErrorCode = keyof typeof ERROR_CODES;

export interface TandemErrorOptions {
  cause?: unknown;
  /** What the reader can do about it, one or two sentences. */
  hint?: string;
  /** Data for the log. Never a user's key, value or password. */
  details?: Record<string, unknown>;
}

/** The one type of error Tandem throws on purpose: what was tried goes into the message, the reason into `cause`. */
export class TandemError extends Error {
  override readonly name = 'TandemError';
  readonly code: ErrorCode;
  readonly hint?: string;
  readonly details?: Record<string, unknown>;

  constructor(code: ErrorCode, message: string, options: TandemErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    if (options.hint !== undefined) this.hint = options.hint;
    if (options.details !== undefined) this.details = options.details;
  }

  /** The exit code of a process that ends because of this error. */
  get exitCode(): number {
    return ERROR_CODES[this.code].exitCode;
  }
}

/** Whether the condition behind an error can pass by itself, so that trying again makes sense. Foreign errors cannot. */
export function passesByItself(error: unknown): boolean {
  return error instanceof TandemError && ERROR_CODES[error.code].passes;
}

/** An error as it may be logged: no credentials, no command arguments. */
export interface ErrorDescription {
  type: string;
  message: string;
  code?: string;
  hint?: string;
  details?: Record<string, unknown>;
  stack?: string;
  cause?: ErrorDescription;
}

/** A chain of causes longer than this is cut: it is a loop, or of no use to a reader. */
const MAX_CAUSES = 5;

/**
 * What may be shown of any thrown thing. Only known fields are taken over: ioredis attaches the failed command with
 * its arguments to an error, and those are keys, values and passwords.
 */
export function describeError(error: unknown): ErrorDescription {
  return describeAt(error, { depth: 0, unexpected: true });
}

/** A stack tells something where the error is a mistake in the program; behind an expected one it is noise. */
function describeAt(
  error: unknown,
  { depth, unexpected }: { depth: number; unexpected: boolean },
): ErrorDescription {
  if (!(error instanceof Error)) return { type: typeof error, message: withoutSecrets(String(error)) };
  const description: ErrorDescription = { type: error.name, message: withoutSecrets(messageOf(error)) };
  const { code } = error as NodeJS.ErrnoException;
  if (typeof code === 'string') description.code = code;
  const isExpected = error instanceof TandemError && error.code !== 'INTERNAL';
  if (error instanceof TandemError) {
    if (error.hint !== undefined) description.hint = error.hint;
    if (error.details !== undefined) description.details = error.details;
  }
  if (unexpected && !isExpected && error.stack !== undefined) description.stack = withoutSecrets(error.stack);
  if (error.cause !== undefined && depth < MAX_CAUSES) {
    description.cause = describeAt(error.cause, { depth: depth + 1, unexpected: unexpected && !isExpected });
  }
  return description;
}

/** An error and its causes in one line for a person, safe to print. */
export function errorLine(error: unknown): string {
  const messages: string[] = [];
  let description: ErrorDescription | undefined = describeError(error);
  while (description !== undefined) {
    if (!messages.some((message) => message.includes(description!.message)))
      messages.push(description.message);
    description = description.cause;
  }
  return messages.join(': ');
}

/** Text without passwords in URLs, and without the arguments that Redis repeats when it does not know a command. */
export function withoutSecrets(text: string): string {
  return (
    text
      // The form itself, as messages and hints give it, hides nothing.
      .replaceAll(/([a-z][a-z0-9+.-]*:\/\/)(?!user:password@)[^\s/@"']*@/gi, '$1***@')
      .replaceAll(/(sentinelPassword=)[^\s&"']*/gi, '$1***')
      .replaceAll(/, with args beginning with:[^\n]*/g, '')
  );
}

/** Node leaves the message of a failed connection to several addresses empty and puts the reasons into `errors`. */
function messageOf(error: Error): string {
  if (error.message !== '' || !(error instanceof AggregateError)) return error.message;
  return [...new Set(error.errors.map((one) => (one instanceof Error ? one.message : String(one))))].join(
    ', ',
  );
}
