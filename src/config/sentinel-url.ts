import { decoded, hostAndPort, parseRedisUrl, type RedisAddress } from './redis-url.js';

/** A primary that is found by asking Sentinels. Its account is that of the servers; the Sentinels have one of their own. */
export interface SentinelTarget {
  readonly sentinels: readonly RedisAddress[];
  /** The name the Sentinels know the primary by (`sentinel monitor <name> …`). */
  readonly primaryName: string;
  readonly username?: string;
  readonly password?: string;
  /** Whether Sentinels and servers are asked over TLS (`sentinels:`). */
  readonly tls: boolean;
}

/** The target of a URL: one server, or whichever server the Sentinels name. */
export type RedisTarget = RedisAddress | SentinelTarget;

const SENTINEL_PORT = 26_379;
const PARAMETERS = new Set(['sentinelUser', 'sentinelPassword']);
const SHAPE = /^(sentinels?):\/\/(?:([^/@]*)@)?([^/@?#]*)(?:\/([^/?#]*))?(?:\?([^#]*))?$/i;

export function isSentinelTarget(target: RedisTarget): target is SentinelTarget {
  return 'sentinels' in target;
}

/**
 * Takes a URL of `redis:`, `rediss:`, `sentinel:` or `sentinels:` apart.
 * Throws an `Error` that says what is wrong and never repeats the URL, which may hold a password.
 */
export function parseTarget(text: string): RedisTarget {
  return /^sentinels?:/i.test(text) ? parseSentinelUrl(text) : parseRedisUrl(text);
}

/** Where a URL leads, for people: without credentials. */
export function whereTo(url: string): string {
  const target = parseTarget(url);
  return isSentinelTarget(target) ? primaryCalled(target) : hostAndPort(target);
}

/** `mymaster at the Sentinels a:26379, b:26379` */
export function primaryCalled({ primaryName, sentinels }: SentinelTarget): string {
  return `${primaryName} at the Sentinels ${sentinels.map(hostAndPort).toSorted().join(', ')}`;
}

/** `sentinel://[user:password@]host[:port][,host[:port]…]/name[?sentinelUser=…&sentinelPassword=…]` */
function parseSentinelUrl(text: string): SentinelTarget {
  const [, scheme = '', credentials = '', hosts = '', name = '', query = ''] = SHAPE.exec(text) ?? [];
  if (scheme === '')
    throw new Error(
      'must be a URL such as sentinel://user:password@host:26379,host:26379/mymaster, special characters percent-encoded',
    );
  if (name === '')
    throw new Error('must end with the name the Sentinels know the primary by, such as /mymaster');
  const tls = scheme.toLowerCase() === 'sentinels';
  const parameters = new URLSearchParams(query);
  for (const parameter of parameters.keys())
    if (!PARAMETERS.has(parameter))
      throw new Error('must have no parameters but sentinelUser and sentinelPassword');
  const own = {
    user: parameters.get('sentinelUser') ?? '',
    password: parameters.get('sentinelPassword') ?? '',
  };
  if (own.user !== '' && own.password === '')
    throw new Error('must have sentinelPassword when it has sentinelUser');
  const [user = '', ...password] = credentials.split(':');
  return Object.freeze({
    sentinels: hosts.split(',').map((host) => sentinelAddress(host, tls, own)),
    primaryName: decoded(name),
    tls,
    ...account({ user: decoded(user), password: decoded(password.join(':')) }),
  });
}

function sentinelAddress(host: string, tls: boolean, own: Account): RedisAddress {
  if (host === '' || !URL.canParse(`redis://${host}`))
    throw new Error('must name hosts, separated by commas');
  const url = new URL(`redis://${host}`);
  return Object.freeze({
    host: url.hostname.replace(/^\[(.*)\]$/, '$1'),
    port: url.port === '' ? SENTINEL_PORT : Number(url.port),
    tls,
    ...account(own),
  });
}

interface Account {
  readonly user: string;
  readonly password: string;
}

function account({ user, password }: Account): { username?: string; password?: string } {
  if (user !== '' && password === '') throw new Error('must have a password when it has a user name');
  return { ...(user === '' ? {} : { username: user }), ...(password === '' ? {} : { password }) };
}
