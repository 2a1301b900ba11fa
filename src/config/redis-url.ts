export interface RedisAddress {
  readonly host: string;
  readonly port: number;
  readonly username?: string;
  readonly password?: string;
  /** Whether the URL asks for TLS (`rediss:`). */
  readonly tls: boolean;
}

const DEFAULT_PORT = 6379;
const FORM = 'a URL such as redis://user:password@host:6379';
const ENCODE = 'write / ? # [ ] and blanks in the password as %2F %3F %23 %5B %5D and %20';

/**
 * Takes `redis://[[user]:password@]host[:port][/0]` or `rediss://…` apart.
 * Throws an `Error` that says what is wrong and never repeats the URL, which may hold a password.
 */
export function parseRedisUrl(text: string): RedisAddress {
  if (!URL.canParse(text)) throw new Error(`must be ${FORM}${mistakeIn(text)}`);
  const url = new URL(text);
  if (url.protocol !== 'redis:' && url.protocol !== 'rediss:')
    throw new Error('must start with redis://, rediss://, sentinel:// or sentinels://');
  if (url.hostname === '') throw new Error('must name a host');
  if (/[^\w.:[\]%~-]/.test(url.hostname))
    throw new Error('must name a host of letters, digits, dots and hyphens');
  if (url.port === '0') throw new Error('must name a port from 1 to 65535');
  if (/@/.test(url.pathname + url.search + url.hash)) throw new Error(`must be ${FORM}: ${ENCODE}`);
  if (url.pathname !== '' && url.pathname !== '/' && url.pathname !== '/0') {
    throw new Error('must not name a database: Tandem replicates all of them (see filters.databases)');
  }
  if (url.search !== '' || url.hash !== '')
    throw new Error('must end after host and port: parameters are settings of their own');
  const username = decoded(url.username);
  const password = decoded(url.password);
  if (username !== '' && password === '') throw new Error('must have a password when it has a user name');
  return Object.freeze({
    host: url.hostname.replace(/^\[(.*)\]$/, '$1'),
    port: url.port === '' ? DEFAULT_PORT : Number(url.port),
    ...(username === '' ? {} : { username }),
    ...(password === '' ? {} : { password }),
    tls: url.protocol === 'rediss:',
  });
}

/** The mistake that is most often behind a text that is no URL, without anything of the text. */
function mistakeIn(text: string): string {
  if (/^\s*["'`]/.test(text)) return ': leave out the quotation marks around it';
  const [, credentials = '', host = ''] = /^\w+:\/\/(?:(.*)@)?(.*)$/s.exec(text) ?? [];
  if (/[/?#[\]\s]/.test(credentials)) return `: ${ENCODE}`;
  if (/^[^/]*,/.test(host)) return ': it leads to one server; several Sentinels go with sentinel://';
  if (/^[0-9a-f]*:[0-9a-f]*:/i.test(host)) return ': write an IPv6 address in brackets';
  if (/:(?!\d{1,5}(?:$|\/))[^\]]*$/.test(host) || /:\d{5}(?:$|\/)/.test(host))
    return ': the port is a number up to 65535';
  return ', special characters percent-encoded';
}

/** `host:port` of an address, for people. */
export function hostAndPort({ host, port }: Pick<RedisAddress, 'host' | 'port'>): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/** Percent-encoding undone. */
export function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw new Error('must have user name and password percent-encoded');
  }
}
