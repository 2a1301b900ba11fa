import { TandemError } from '../errors.js';
import type { ErrorCode } from '../errors.js';

/** The first word of a Redis error reply → the error of Tandem. */
const REPLY_CODES: Record<string, ErrorCode> = {
  NOAUTH: 'AUTH_FAILED',
  WRONGPASS: 'AUTH_FAILED',
  NOPERM: 'NO_PERMISSION',
  DENIED: 'NO_PERMISSION',
  NOPROTO: 'UNSUPPORTED_VERSION',
  LOADING: 'SERVER_BUSY',
  BUSY: 'SERVER_BUSY',
  OOM: 'SERVER_BUSY',
  READONLY: 'SERVER_BUSY',
  MISCONF: 'SERVER_BUSY',
  MASTERDOWN: 'SERVER_BUSY',
  NOREPLICAS: 'SERVER_BUSY',
  NOMASTERLINK: 'SERVER_BUSY',
  TRYAGAIN: 'SERVER_BUSY',
  CLUSTERDOWN: 'SERVER_BUSY',
  // Clients send a script again that was flushed, once: scripts may be flushed again in between.
  NOSCRIPT: 'SERVER_BUSY',
  // Whatever of an application's may be of another type than expected is not asked for in a way that can be refused.
  WRONGTYPE: 'STATE_LOST',
  MOVED: 'UNSUPPORTED_MODE',
  ASK: 'UNSUPPORTED_MODE',
};

/**
 * The word that says why a command was refused: the reply's first, unless it only tells that something inside was refused.
 * - `EXECABORT Transaction discarded because of: OOM …`
 * - Redis 6.2: `ERR Error running script (call to f_…): @user_script:4: -OOM command not allowed …`
 * - Redis 7.0: `ERR The user executing the script can't run this command or subcommand …`, later `ERR ACL failure in script: …`
 */
export function refusedWord(reply: string): string {
  if (/ACL failure in script|The user executing the script can't/.test(reply)) return 'NOPERM';
  const first = /^[A-Z]+(?= |$)/.exec(reply)?.[0] ?? 'ERR';
  if (first !== 'ERR' && first !== 'EXECABORT') return first;
  const inside = /(?:because of: |user_script:.*?-)([A-Z]{3,})\b/.exec(reply)?.[1];
  return inside !== undefined && inside in REPLY_CODES ? inside : first;
}

/** Of a server that cannot serve now: who has to do something, and whether anybody has to. */
const BUSY_HINTS: Readonly<Record<string, string>> = {
  OOM: 'Its memory is full: raise maxmemory, or let data go. It is tried again until there is room.',
  READONLY: 'It is a replica. It is tried again until it is a primary, or its name leads to one.',
  LOADING: 'It loads its data after a start. It is tried again until it is ready.',
  BUSY: 'A script has run there for too long: SCRIPT KILL or FUNCTION KILL ends it. It is tried again until then.',
  MISCONF:
    'It cannot save its data, as its own log says, and takes no writes. It is tried again until it can.',
  NOREPLICAS: 'It has fewer replicas than min-replicas-to-write wants. It is tried again until it has them.',
};

const HINTS: Partial<Record<ErrorCode, string>> = {
  STATE_LOST: "Somebody else writes Tandem's own keys. Give the application's account patterns without them.",
  UNREACHABLE:
    'Check host and port, that the server runs, and that its bind address and the firewall let this machine in.',
  TIMEOUT:
    'Check the network and the load of the server; connectTimeoutMs and commandTimeoutMs are the bounds.',
  AUTH_FAILED:
    'Check the user name and the password in the URL; special characters must be percent-encoded. Or the account is gone: without aclfile, or a line in redis.conf, what ACL SETUSER has made does not outlive a restart of the server.',
  NO_PERMISSION: '`tandem check` lists the rights that are missing and the ACL rule that grants them.',
  SERVER_BUSY: 'It is tried again until the server is ready.',
  STREAM_REFUSED: 'Some managed services do not offer the replication stream; `tandem check` tells.',
  TLS_FAILED:
    'Check that the server speaks TLS exactly if the URL starts with rediss://, and the settings tls.*.',
  UNSUPPORTED_MODE: 'Tandem replicates single primaries with their replicas; cluster mode is not supported.',
};

/**
 * The error of Tandem for whatever a client, a socket or a server threw: an error reply (named `ReplyError`) or a broken
 * connection. `where` (host:port) and the command's name go into the message, never a URL or the command's arguments.
 * An error that is one of Tandem's already passes unchanged.
 */
export function refusalOf(error: unknown, where: string): TandemError {
  if (error instanceof TandemError) return error;
  if (isOfFile(error))
    return new TandemError('INTERNAL', `a file cannot be used: ${error.message}`, { cause: error });
  const { code, reason, hint = HINTS[code] } = classified(error);
  return new TandemError(code, `${where} ${reason}`, {
    // The client's own words for a broken connection tell an operator nothing.
    ...(error instanceof Error && isLostConnection(error) ? {} : { cause: error }),
    details: { where },
    ...(hint === undefined ? {} : { hint }),
  });
}

interface Class {
  readonly code: ErrorCode;
  readonly reason: string;
  /** Instead of the one for all errors of the code. */
  readonly hint?: string;
}

const PROTECTED_MODE: Class = {
  code: 'NO_PERMISSION',
  reason: 'takes no connections from other machines (protected mode)',
  hint: 'Give the server a password (requirepass, or accounts of ACL SETUSER) and put it into the URL. In a network of its own `protected-mode no` will do.',
};

const NO_PASSWORD: Class = {
  code: 'AUTH_FAILED',
  reason: 'asks for a password, and the URL has none',
  hint: 'Put it into the URL: redis://user:password@host:6379. The user of requirepass is default.',
};

const NEEDLESS_PASSWORD: Class = {
  code: 'AUTH_FAILED',
  reason: 'has no password, and the URL has one',
  hint: 'Set the password at the server (requirepass, or an account of ACL SETUSER), or take it out of the URL.',
};

function classified(error: unknown): Class {
  if (!(error instanceof Error))
    return { code: 'INTERNAL', reason: 'made the client throw something that is not an error' };
  if (error.name !== 'ReplyError') return ofSocket(error);
  // A transaction is refused because of a command in it: that says why.
  const { previousErrors } = error as { previousErrors?: unknown };
  if (Array.isArray(previousErrors) && previousErrors[0] instanceof Error)
    return classified(previousErrors[0]);
  const { name } = (error as { command?: { name?: unknown } }).command ?? {};
  return ofReply(error.message, typeof name === 'string' ? name.toUpperCase() : 'a command');
}

function ofReply(reply: string, command: string): Class {
  const word = refusedWord(reply);
  if (word === 'NOAUTH') return NO_PASSWORD;
  if (word === 'DENIED') return PROTECTED_MODE;
  if (/no password is set|without any password configured/.test(reply)) return NEEDLESS_PASSWORD;
  if (/wrong number of arguments for 'auth'/.test(reply))
    return { code: 'UNSUPPORTED_VERSION', reason: 'knows no user names: it is older than Redis 6' };
  if (/^ERR (invalid password|AUTH|Client sent AUTH)/i.test(reply))
    return { code: 'AUTH_FAILED', reason: 'refuses the password' };
  if (/^ERR max number of clients/i.test(reply))
    return { code: 'SERVER_BUSY', reason: 'has no connection left (maxclients)' };
  if (/^(PSYNC|SYNC)$/i.test(command) && word === 'ERR')
    return { code: 'STREAM_REFUSED', reason: 'refuses its replication stream' };
  if (/^ERR unknown command/i.test(reply))
    return { code: 'UNSUPPORTED_VERSION', reason: `does not know the command ${command}` };
  const code = /hash value is not an integer/.test(reply) ? 'STATE_LOST' : (REPLY_CODES[word] ?? 'INTERNAL');
  const reasons: Partial<Record<ErrorCode, string>> = {
    AUTH_FAILED: 'refuses the user name or the password',
    NO_PERMISSION: `does not allow ${forbidden(reply, command)}`,
    SERVER_BUSY: `cannot serve now (${word})`,
    UNSUPPORTED_MODE: 'runs in cluster mode',
    STATE_LOST: `has something else than Tandem's in one of Tandem's own keys (${command})`,
  };
  const hint = code === 'SERVER_BUSY' ? BUSY_HINTS[word] : undefined;
  return {
    code,
    reason: reasons[code] ?? `answers ${command} with the error ${word}`,
    ...(hint === undefined ? {} : { hint }),
  };
}

/** A script or a transaction may run, and what is in it may not: the reply names that, but for a script's at older servers. */
function forbidden(reply: string, command: string): string {
  const name = /to run the '([\w|]+)' command/.exec(reply)?.[1]?.toUpperCase();
  if (/ACL failure in script|executing the script/.test(reply))
    return `${name ?? 'a command'} that a script of Tandem's runs`;
  if (name !== undefined) return name;
  const what = command === 'EXEC' ? 'a command of a transaction' : command;
  const place = /access (?:a|the|one of the) (?:'.*' )?(key|channel)/.exec(reply)?.[1];
  return place === undefined ? what : `${what} on a ${place} that it uses`;
}

function ofSocket(error: Error): Class {
  const systemCode = (error as NodeJS.ErrnoException).code ?? '';
  if (systemCode === 'ETIMEDOUT' || /timed ?out/i.test(error.message))
    return { code: 'TIMEOUT', reason: 'does not answer in time' };
  if (isTlsMistake(systemCode, error.message))
    return {
      code: 'TLS_FAILED',
      reason: `and Tandem do not agree about TLS (${systemCode || error.message})`,
    };
  if (/Unknown RESP type|Protocol error/.test(error.message))
    return { code: 'UNREACHABLE', reason: 'does not speak the protocol of Redis' };
  if (systemCode === 'ENOTFOUND' || systemCode === 'EAI_AGAIN')
    return { code: 'UNREACHABLE', reason: `cannot be found: no such host (${systemCode})` };
  if (systemCode === 'ECONNREFUSED')
    return { code: 'UNREACHABLE', reason: 'refuses the connection (ECONNREFUSED)' };
  if (systemCode !== '') return { code: 'UNREACHABLE', reason: `cannot be reached (${systemCode})` };
  if (isLostConnection(error)) return { code: 'UNREACHABLE', reason: 'closed the connection' };
  return { code: 'INTERNAL', reason: 'made the client fail unexpectedly' };
}

/** The system's refusal of a file: it has no more to do with a server than that it was met beside one. */
function isOfFile(error: unknown): error is Error {
  const { syscall, path } = (error ?? {}) as NodeJS.ErrnoException;
  return error instanceof Error && syscall !== undefined && syscall !== 'connect' && path !== undefined;
}

function isTlsMistake(systemCode: string, message: string): boolean {
  return (
    /^ERR_(TLS|SSL|OSSL)|^EPROTO$|CERT|SELF_SIGNED|UNABLE_TO_(GET|VERIFY)/.test(systemCode) ||
    /wrong version number|certificate/i.test(message)
  );
}

/** The names and texts ioredis gives to a connection that broke; they have no codes. */
function isLostConnection({ name, message }: Error): boolean {
  return (
    name === 'MaxRetriesPerRequestError' ||
    name === 'AbortError' ||
    /connection is closed|connection close|isn't writeable|ended by the other party|hang ?up/i.test(message)
  );
}
