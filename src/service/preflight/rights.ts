import type { Redis } from '../../redis/connect.js';
import type { KeyNames } from '../../redis/keys.js';
import type { Verdict } from './finding.js';
import { deniedDirectly, deniedInTransaction, withProbeClient } from './probe.js';
import type { Probe } from './probe.js';

/** What the peer's account must be allowed, on the keys under `in:` alone. */
const PEER_RIGHTS = [
  'ping',
  'info',
  'time',
  'eval',
  'evalsha',
  'hget',
  'hset',
  'hdel',
  'hmget',
  'rpush',
  'llen',
] as const;

/** What Tandem itself uses at its own Redis, beside the commands of the users' data. */
const LOCAL_RIGHTS = [
  'ping',
  'info',
  'time',
  'select',
  'unwatch',
  'eval',
  'evalsha',
  'publish',
  'scan',
  'dump',
  'pttl',
  'type',
  'get',
  'hget',
  'hmget',
  'hgetall',
  'lrange',
  'llen',
  'exists',
  'set',
  'del',
  'incr',
  'pexpire',
  'hset',
  'hdel',
  'hincrby',
  'rpush',
  'lpop',
  'ltrim',
  'xadd',
] as const;

/** What jobs use beside these, with arguments of a valid number behind the key. Without them replication goes on all the same. */
const JOB_CALLS: Readonly<Record<string, readonly string[]>> = {
  hexists: ['f'],
  hmset: ['f', 'v'],
  lindex: ['0'],
  lpos: ['e'],
  lpush: ['e'],
  lrem: ['1', 'e'],
  rpoplpush: [''],
  sadd: ['m'],
  scard: [],
  sismember: ['m'],
  smembers: [],
  srem: ['m'],
  xtrim: ['MAXLEN', '1'],
  zadd: ['1', 'm'],
  zcard: [],
  zcount: ['0', '1'],
  zrange: ['0', '0'],
  zrangebyscore: ['0', '1'],
  zrem: ['m'],
  zremrangebyscore: ['0', '1'],
  zrevrange: ['0', '0'],
  zscore: ['m'],
};

/** Writes that never need to be applied: the stream carries what they did in other words, or they stay local. */
const NEVER_APPLIED = new Set([
  'flushall',
  'flushdb',
  'migrate',
  'restore-asking',
  'georadius',
  'georadiusbymember',
  'eval',
  'evalsha',
  'fcall',
]);

/** A server that grants everything to everybody has about this many write commands; more are of modules and not tried. */
const MAX_DATA_COMMANDS = 400;

/** Whether the account has every right Tandem needs at its own Redis; `excluded` are commands that are not replicated. */
export async function judgeLocalRights(
  client: Redis,
  { keys, excluded }: { keys: KeyNames; excluded: readonly string[] },
): Promise<Verdict[]> {
  return withProbeClient(client, async (probe) => {
    const key = `${keys.prefix}check`;
    const data = (await dataCommands(probe)).filter(({ call }) => !excluded.includes(call[0] ?? ''));
    const own = LOCAL_RIGHTS.map((name) => probeOf(name, key));
    const all = [...own, ...data.map(({ call, right }) => ({ right, call: withKey(call, key) }))];
    const missing = [
      ...(await deniedDirectly(probe, [{ right: 'watch', call: ['watch', key] }])),
      ...(await deniedInTransaction(probe, all)),
    ];
    const jobs = missing.length === 0 ? await judgeJobs(probe, key) : [];
    return [judgeMissing('rights', missing, localAclRule()), ...jobs, await judgeReach(probe)];
  });
}

/** Said only when something is missing. */
async function judgeJobs(probe: Redis, key: string): Promise<Verdict[]> {
  const calls = Object.entries(JOB_CALLS).map(([name, rest]) => ({
    right: name,
    call: withKey([name, '', ...rest], key),
  }));
  const { advice, message } = judgeMissing('jobs', await deniedInTransaction(probe, calls), localAclRule());
  return advice === undefined
    ? []
    : [{ name: 'jobs', outcome: 'warn', message: `jobs cannot run: ${message}`, advice }];
}

/** Whether the account may read the replication stream of the server it comes from. */
export async function judgeStreamRights(client: Redis): Promise<Verdict[]> {
  return withProbeClient(client, async (probe) => [
    judgeMissing('stream', await deniedDirectly(probe, STREAM_PROBES), '+psync +replconf'),
  ]);
}

/** Whether the account can write to Tandem's keys under `in:` at the peer. */
export async function judgePeerRights(client: Redis, keys: KeyNames): Promise<Verdict[]> {
  return withProbeClient(client, async (probe) => {
    const probes = PEER_RIGHTS.map((right) => ({ right, call: peerCall(right, keys) }));
    return [judgeMissing('rights', await deniedDirectly(probe, probes), peerAclRule(keys))];
  });
}

/**
 * A call that cannot change anything, for an account that may not use transactions: a hash with an odd number of
 * arguments is refused, and so is an element for a list where there is a hash; without the hash none is sent.
 */
function peerCall(right: (typeof PEER_RIGHTS)[number], { inbox, received }: KeyNames): string[] {
  if (right === 'hset') return ['hset', inbox, 'f', 'v', 'f'];
  if (right !== 'rpush') return [...probeOf(right, right === 'llen' ? inbox : received).call];
  return [
    'eval',
    "if redis.call('HGET', KEYS[1], 'origin') then return redis.call('RPUSH', KEYS[1], '') end",
    '1',
    received,
  ];
}

/** Not needed, but it puts names into the server's CLIENT LIST and keeps a refusal out of its ACL LOG. */
const NAMING = '+client|setname';

/** The rule that grants what the peer's account needs and no more. */
export function peerAclRule(keys: KeyNames): string {
  return `~${keys.peerPrefix}* resetchannels -@all ${PEER_RIGHTS.map((right) => `+${right}`).join(' ')} ${NAMING}`;
}

/** The rule that grants what the local account needs: all data, the stream, nothing else of administration. */
export function localAclRule(): string {
  return `~* &* +@all -@admin +psync +replconf +config|get ${NAMING}`;
}

function judgeMissing(name: string, missing: string[], rule: string): Verdict {
  if (missing.length === 0)
    return { name, outcome: 'pass', message: 'the account may do all that is needed' };
  const shown = missing.slice(0, 12).join(', ');
  return {
    name,
    outcome: 'fail',
    code: 'NO_PERMISSION',
    message: `the account may not: ${shown}${missing.length > 12 ? ` and ${missing.length - 12} more` : ''}`,
    advice: `ACL SETUSER <name> on '><password>' ${rule}`,
  };
}

/** Whether the account reaches every key and channel, tried with names that no application has. */
async function judgeReach(probe: Redis): Promise<Verdict> {
  const denied = await deniedInTransaction(probe, [
    { right: 'keys (~*)', call: ['get', 'no-key-of-tandem:check'] },
    { right: 'channels (&*)', call: ['publish', 'no-channel-of-tandem:check', ''] },
  ]);
  if (denied.length === 0) return { name: 'reach', outcome: 'pass', message: 'all keys and channels' };
  return {
    name: 'reach',
    outcome: 'warn',
    message: `the account does not reach all ${denied.join(' and ')}: changes elsewhere will be rejected`,
    advice:
      'Grant ~* and &*, or replicate only what the account reaches (filters.keysInclude, publishChannels.include).',
  };
}

/** Commands of the stream: they cannot be tried inside a transaction, only on a connection that is thrown away. */
const STREAM_PROBES: readonly Probe[] = [
  { right: 'replconf', call: ['replconf', 'capa', 'eof'] },
  // This form is refused, by primary and replica, before anything is done; the right is checked before that.
  { right: 'psync', call: ['psync', 'tandem-check', '-1', 'FAILOVER'] },
];

/** Name, arity, flags, and since Redis 7 the subcommands in the tenth place. */
type CommandEntry = [name: string, arity: number, flags: string[], ...unknown[]];

/** Every command of the server that writes, with arguments to fill in; empty without the right to COMMAND. */
async function dataCommands(probe: Redis): Promise<Probe[]> {
  const reply = (await probe.call('command').catch(() => [])) as CommandEntry[];
  return reply
    .flatMap((entry) => [entry, ...((entry[9] ?? []) as CommandEntry[])])
    .filter(
      ([name, , flags]) =>
        flags.includes('write') &&
        !flags.includes('blocking') &&
        !flags.includes('admin') &&
        !NEVER_APPLIED.has(name),
    )
    .slice(0, MAX_DATA_COMMANDS)
    .map(([name, arity]) => dataProbe(name, arity));
}

/** `xgroup|create` is one name in COMMAND and two words in a call; before Redis 7 a container stands there alone. */
function dataProbe(name: string, arity: number): Probe {
  const words = name === 'xgroup' ? ['xgroup', 'create', '', '', '$'] : name.split('|');
  const missing = Math.max(0, Math.abs(arity) - words.length);
  return { right: name, call: [...words, ...Array.from({ length: missing }, () => '')] };
}

/** Numbers of arguments of the fixed rights, where the key alone is not enough. */
const ARGUMENTS: Record<string, (key: string) => string[]> = {
  ping: () => [],
  info: () => [],
  time: () => [],
  unwatch: () => [],
  select: () => ['0'],
  scan: () => ['0'],
  eval: (key) => ['return 1', '1', key],
  evalsha: (key) => ['0'.repeat(40), '1', key],
  publish: (key) => [key, ''],
  hdel: (key) => [key, 'f'],
  hget: (key) => [key, 'f'],
  hmget: (key) => [key, 'f'],
  hset: (key) => [key, 'f', 'v'],
  hincrby: (key) => [key, 'f', '1'],
  lrange: (key) => [key, '0', '0'],
  ltrim: (key) => [key, '0', '0'],
  pexpire: (key) => [key, '1'],
  rpush: (key) => [key, 'e'],
  set: (key) => [key, 'v'],
  xadd: (key) => [key, '*', 'f', 'v'],
};

function probeOf(name: string, key: string): Probe {
  return { right: name, call: [name, ...(ARGUMENTS[name]?.(key) ?? [key])] };
}

function withKey(call: readonly string[], key: string): string[] {
  return call.map((argument) => (argument === '' ? key : argument));
}
