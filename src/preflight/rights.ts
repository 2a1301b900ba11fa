import { COMMAND_TABLE } from '../redis-commands/command-table.js';
import type { Redis } from '../redis/connect.js';
import type { KeyNames } from '../redis/keys.js';
import type { Verdict } from './finding.js';
import {
  COMMAND_LINE_CALLS,
  FLUSH_CALLS,
  FUNCTION_CALLS,
  JOB_CALLS,
  PEER_RIGHTS,
  REPLICATION_CALLS,
  SINCE,
  TAKEOVER_CALLS,
  type Calls,
} from './needed-calls.js';
import {
  both,
  probesOf,
  refusedAtOnce,
  refusedDirectly,
  refusedInTransaction,
  withProbeClient,
} from './probe.js';
import type { Probe, Refused } from './probe.js';

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
  'pfcount',
  'spublish',
  'script',
  'blpop',
  'brpop',
  'brpoplpush',
  'blmove',
  'blmpop',
  'bzpopmin',
  'bzpopmax',
  'bzmpop',
  'xreadgroup',
]);

/** A server that grants everything to everybody has about this many write commands; more are of modules and not tried. */
const MAX_DATA_COMMANDS = 400;

/** Names that one message gives. */
const MAX_SHOWN = 12;

/** Without COMMAND nobody says how many arguments a command takes: each is tried with up to so many. */
const MAX_TRIED_ARGUMENTS = 6;

interface LocalRights {
  readonly keys: KeyNames;
  /** Commands that are not replicated. */
  readonly excluded: readonly string[];
  /** Whether flushes of the peer's are applied. */
  readonly flushes: boolean;
  /** The version of Redis whose behaviour the server has. */
  readonly redisVersion: string | null;
}

/** Whether the account has every right Tandem needs at its own Redis, and the server every command. */
export async function judgeLocalRights(client: Redis, options: LocalRights): Promise<Verdict[]> {
  const { keys, excluded, flushes, redisVersion } = options;
  return withProbeClient(client, async (probe) => {
    const key = `${keys.prefix}check`;
    const listed = await listedCommands(probe);
    const data = dataProbes(listed, key).filter(({ call }) => !excluded.includes(call[0] ?? ''));
    const own = probesOf({ ...REPLICATION_CALLS, ...(flushes ? FLUSH_CALLS : {}) }, key);
    const refusedData = await refusedInTransaction(probe, data);
    const refusedOwn = both(
      // A transaction of nothing: its words cannot be tried inside of one.
      await refusedDirectly(probe, probesOf({ watch: [''], multi: [], exec: [] }, key)),
      await refusedInTransaction(probe, own),
    );
    const missing: Refused = {
      denied: both(refusedOwn, refusedData).denied,
      unknown: refusedOwn.unknown.filter((name) => isOf(redisVersion, SINCE[name])),
    };
    const isWhole = missing.denied.length + missing.unknown.length === 0;
    const optional = isWhole ? await judgeOptional(client, { probe, key, redisVersion }) : [];
    return [
      judgeMissing('rights', missing, localAclRule()),
      ...(listed ? judgeRenamed(refusedData.unknown) : [UNLISTED]),
      ...(await judgeNaming(probe, localAclRule())),
      ...optional,
      await judgeReach(probe),
    ];
  });
}

/** Looks at rights that replication can do without. Tells only of missing ones. */
async function judgeOptional(
  client: Redis,
  { probe, key, redisVersion }: { probe: Redis; key: string; redisVersion: string | null },
): Promise<Verdict[]> {
  // ioredis takes a subscription that is only queued for one that stands: it goes last, on a connection of its own.
  const subscribed = await withProbeClient(client, async (other) =>
    refusedDirectly(other, [{ right: 'subscribe', call: ['subscribe', key] }]),
  );
  const kinds: readonly [name: string, calls: Calls, without: string][] = [
    ['jobs', JOB_CALLS, 'jobs cannot run, and the first copy, comparisons and repairs are jobs'],
    ['takeover', TAKEOVER_CALLS, 'a second process takes over only when the lease has ended'],
    ['functions', FUNCTION_CALLS, 'functions are neither copied nor compared'],
    ['commands', COMMAND_LINE_CALLS, 'tandem verify, unpair and conflicts --follow cannot do all their work'],
  ];
  const verdicts: Verdict[] = [];
  for (const [name, calls, without] of kinds) {
    const queued = await refusedInTransaction(probe, probesOf(calls, key));
    const { denied, unknown } = name === 'takeover' ? both(subscribed, queued) : queued;
    const refused = { denied, unknown: unknown.filter((one) => isOf(redisVersion, SINCE[one])) };
    const { advice, message } = judgeMissing(name, refused, localAclRule());
    if (advice !== undefined)
      verdicts.push({ name, outcome: 'warn', message: `${without}: ${message}`, advice });
  }
  return verdicts;
}

/** Whether the account may read the replication stream of the server it comes from. */
export async function judgeStreamRights(client: Redis): Promise<Verdict[]> {
  return withProbeClient(client, async (probe) => {
    const refused = await refusedAtOnce(probe, STREAM_PROBES);
    if (refused.unknown.length === 0) return [judgeMissing('stream', refused, '+psync +replconf')];
    const names = refused.unknown.map((name) => name.toUpperCase()).join(' and ');
    return [
      {
        name: 'stream',
        outcome: 'fail',
        code: 'STREAM_REFUSED',
        message: `the server does not offer its replication stream: it does not know ${names}`,
        advice:
          'No right helps: many managed services leave these commands out. Take a server that has them, or take them out of rename-command.',
      },
    ];
  });
}

/** Whether the account can write to Tandem's keys under `in:` at the peer. */
export async function judgePeerRights(client: Redis, keys: KeyNames): Promise<Verdict[]> {
  return withProbeClient(client, async (probe) => {
    const probes = PEER_RIGHTS.map((right) => ({ right, call: peerCall(right, keys) }));
    const rule = peerAclRule(keys);
    const refused = await refusedDirectly(probe, probes);
    // It is tried in a script: without scripts nothing is known of it.
    const unknown = refused.unknown.filter((name) => name !== 'rpush' || !refused.unknown.includes('eval'));
    return [judgeMissing('rights', { ...refused, unknown }, rule), ...(await judgeNaming(probe, rule))];
  });
}

/**
 * A call that cannot change anything, for an account that may not use transactions: a hash with an odd number of
 * arguments is refused, and so is an element for a list where there is a hash; without the hash none is sent.
 */
function peerCall(right: (typeof PEER_RIGHTS)[number], { inbox, received }: KeyNames): string[] {
  if (right === 'hset') return ['hset', inbox, 'f', 'v', 'f'];
  if (right === 'llen') return ['llen', inbox];
  if (right !== 'rpush')
    return [...probesOf({ [right]: REPLICATION_CALLS[right] ?? JOB_CALLS[right] ?? [] }, received)[0]!.call];
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
  return `~* &* +@all -@admin +psync +replconf +config|get +acl|dryrun ${NAMING}`;
}

function judgeMissing(name: string, { denied, unknown }: Refused, rule: string): Verdict {
  if (denied.length + unknown.length === 0)
    return { name, outcome: 'pass', message: 'the account may do all that is needed' };
  const parts = [
    ...(denied.length > 0 ? [`the account may not: ${listOf(denied)}`] : []),
    ...(unknown.length > 0 ? [`the server does not know: ${listOf(unknown)}`] : []),
  ];
  const advice =
    denied.length > 0
      ? `ACL SETUSER <name> on '><password>' ${rule}`
      : 'No right helps: take these commands out of rename-command, or take a server that has them.';
  return {
    name,
    outcome: 'fail',
    code: denied.length > 0 ? 'NO_PERMISSION' : 'UNSUPPORTED_MODE',
    message: parts.join('; '),
    advice,
  };
}

function listOf(names: readonly string[]): string {
  const more = names.length - MAX_SHOWN;
  return `${names.slice(0, MAX_SHOWN).join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}

/** Whether a server of this version must have what there is since another one; without one, every server must. */
function isOf(version: string | null, since: readonly [number, number] | null | undefined): boolean {
  if (since === undefined) return true;
  if (since === null) return false;
  const [major = 0, minor = 0] = (version ?? '').split('.').map(Number);
  return major > since[0] || (major === since[0] && minor >= since[1]);
}

/** Commands of data that the server lists and does not know by that name. */
function judgeRenamed(names: readonly string[]): Verdict[] {
  if (names.length === 0) return [];
  return [
    {
      name: 'names',
      outcome: 'warn',
      message: `the server does not know by its name: ${listOf(names)}`,
      advice:
        'Such changes of the other site are rejected here. Take these commands out of rename-command at both sites.',
    },
  ];
}

const UNLISTED: Verdict = {
  name: 'command list',
  outcome: 'warn',
  message: 'the server does not say which commands it has (COMMAND): Tandem goes by its own list',
  advice:
    'What modules and newer servers have beside it is rejected. Grant +command, or take it out of rename-command.',
};

/** A client without a name is as good as any. But where the account may not set it, each connection is an entry in the ACL LOG. */
async function judgeNaming(probe: Redis, rule: string): Promise<Verdict[]> {
  const name = probe.options.connectionName ?? 'tandem';
  const refused = await refusedDirectly(probe, [
    { right: 'client|setname', call: ['client', 'setname', name] },
  ]);
  if (refused.denied.length + refused.unknown.length === 0) return [];
  return [
    {
      name: 'client names',
      outcome: 'warn',
      message: 'Tandem cannot name its connections (CLIENT SETNAME): each one may be an entry in the ACL LOG',
      advice:
        refused.denied.length > 0
          ? `ACL SETUSER <name> on '><password>' ${rule}`
          : 'Take CLIENT out of rename-command.',
    },
  ];
}

/** Whether the account reaches every key and channel, tried with names that no application has. */
async function judgeReach(probe: Redis): Promise<Verdict> {
  const { denied } = await refusedInTransaction(probe, [
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

/**
 * Commands of the stream: they cannot be tried inside a transaction, only on a connection that is thrown away. This `PSYNC` is
 * refused, after the right to it was looked at, before the server begins or logs anything: for the filter, which wants `eof`; where
 * there is no filter, for the reply that is still to be sent; and for the offset, which is none.
 */
const STREAM_PROBES: readonly Probe[] = [
  { right: 'replconf', call: ['replconf', 'rdb-filter-only', ''] },
  { right: 'psync', call: ['psync', 'tandem-check', 'none'] },
];

/** Name, arity, flags, and since Redis 7 the subcommands in the tenth place. */
type CommandEntry = [name: string, arity: number, flags: string[], ...unknown[]];

/** The server's own list of its commands; nothing where it does not give one. @throws what is no answer of the server */
async function listedCommands(probe: Redis): Promise<readonly CommandEntry[] | undefined> {
  try {
    return (await probe.call('command')) as CommandEntry[];
  } catch (error) {
    if (error instanceof Error && error.name === 'ReplyError') return undefined;
    throw error;
  }
}

/** Every command that writes, with arguments to fill in: of the server's list, else of Tandem's own. */
function dataProbes(listed: readonly CommandEntry[] | undefined, key: string): Probe[] {
  if (!listed)
    return COMMAND_TABLE.flatMap(({ name }) => triedProbes(name.toLowerCase().replace(' ', '|'), key));
  return listed
    .flatMap((entry) => [entry, ...((entry[9] ?? []) as CommandEntry[])])
    .filter(
      ([name, , flags]) =>
        flags.includes('write') &&
        !flags.includes('blocking') &&
        !flags.includes('admin') &&
        !NEVER_APPLIED.has(name),
    )
    .slice(0, MAX_DATA_COMMANDS)
    .map(([name, arity]) => dataProbe(name, arity, key));
}

/** `xgroup|create` is one name in COMMAND and two words in a call; before Redis 7 a container stands there alone. */
function dataProbe(name: string, arity: number, key: string): Probe {
  const words = name === 'xgroup' ? ['xgroup', 'create', key, key, '$'] : name.split('|');
  const missing = Math.max(0, Math.abs(arity) - words.length);
  return { right: name, call: [...words, ...Array.from({ length: missing }, () => key)] };
}

function triedProbes(right: string, key: string): Probe[] {
  const name = right.split('|');
  if (NEVER_APPLIED.has(name[0] ?? '')) return [];
  return Array.from({ length: MAX_TRIED_ARGUMENTS }, (_, count) => ({
    right,
    call: [...name, ...Array.from({ length: count + 1 }, () => key)],
  }));
}
