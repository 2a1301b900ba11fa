import type { ServerFacts } from '../redis/server-facts.js';
import type { Subject, Verdict } from './finding.js';

/** Redis 6.2 is the first that counts its error replies, which end-transaction.lua needs, and whose commands the table knows. */
const OLDEST_VERSION = [6, 2] as const;

/** With a shorter backlog a restart of Tandem under load finds that the stream no longer reaches back. */
const BACKLOG_WARN_BYTES = 32 * 2 ** 20;

/** A reader that stalls for a moment under load has this much in the server's buffer. */
const OUTPUT_LIMIT_WARN_BYTES = 64 * 2 ** 20;

/** What can be said of one server by itself. */
export function judgeServer(facts: ServerFacts, subject: Exclude<Subject, 'pair'>): Verdict[] {
  const verdicts = [judgeVersion(facts), judgeMode(facts)];
  if (subject !== 'stream') verdicts.push(judgeRole(facts), judgeEviction(facts));
  if (subject !== 'peer') verdicts.push(judgeBacklog(facts), judgeOutputLimit(facts));
  return verdicts;
}

export function judgeVersion({ product, version, redisVersion }: ServerFacts): Verdict {
  const [major = 0, minor = 0] = (redisVersion ?? '').split('.').map(Number);
  const isSupported =
    major > OLDEST_VERSION[0] || (major === OLDEST_VERSION[0] && minor >= OLDEST_VERSION[1]);
  if (isSupported) return { name: 'version', outcome: 'pass', message: `${product} ${version}` };
  return {
    name: 'version',
    outcome: 'fail',
    code: 'UNSUPPORTED_VERSION',
    message: version === null ? 'the server does not tell its version' : `${product} ${version} is too old`,
    advice: 'Use Redis 6.2 or newer, or Valkey.',
  };
}

function judgeMode({ clusterEnabled }: ServerFacts): Verdict {
  if (!clusterEnabled) return { name: 'mode', outcome: 'pass', message: 'a single primary' };
  return {
    name: 'mode',
    outcome: 'fail',
    code: 'UNSUPPORTED_MODE',
    message: 'the server runs in cluster mode',
    advice:
      'Tandem replicates single primaries with their replicas; cluster mode (cluster-enabled yes) is not supported.',
  };
}

function judgeRole({ role, primary }: ServerFacts): Verdict {
  if (role === 'master') return { name: 'role', outcome: 'pass', message: 'primary' };
  return {
    name: 'role',
    outcome: 'fail',
    code: 'NOT_A_PRIMARY',
    message: primary === null ? `not a primary (role ${role})` : `a replica of ${primary}`,
    advice: `Give the URL of the primary${primary === null ? '' : `, ${primary}`}. A replica may serve the stream: streamUrl.`,
  };
}

/** An evicted key arrives in the stream as a DEL like any other. */
function judgeEviction({ evictionPolicy }: ServerFacts): Verdict {
  if (evictionPolicy === null)
    return { name: 'eviction', outcome: 'skipped', message: 'the server does not tell its maxmemory-policy' };
  if (evictionPolicy === 'noeviction') return { name: 'eviction', outcome: 'pass', message: 'noeviction' };
  return {
    name: 'eviction',
    outcome: 'warn',
    message: `maxmemory-policy is ${evictionPolicy}: what one site evicts is deleted at both`,
    advice: 'Set maxmemory-policy noeviction, or accept that the smaller server decides what both keep.',
  };
}

function judgeBacklog({ backlogBytes }: ServerFacts): Verdict {
  if (backlogBytes === null)
    return { name: 'backlog', outcome: 'skipped', message: 'the server does not tell its repl-backlog-size' };
  if (backlogBytes >= BACKLOG_WARN_BYTES)
    return { name: 'backlog', outcome: 'pass', message: inMebibytes(backlogBytes) };
  return {
    name: 'backlog',
    outcome: 'warn',
    message: `repl-backlog-size is ${inMebibytes(backlogBytes)}: if Tandem is away while more than that is written, the sites must be compared`,
    advice:
      'Set repl-backlog-size to 32mb or more: the writes of the longest pause that should pass unnoticed.',
  };
}

function judgeOutputLimit({ replicaOutputLimit }: ServerFacts): Verdict {
  const name = 'output limit';
  if (replicaOutputLimit === null)
    return { name, outcome: 'skipped', message: 'no right to CONFIG GET client-output-buffer-limit' };
  const { hardBytes, softBytes, softSeconds } = replicaOutputLimit;
  const isTight = [hardBytes, softBytes].some((limit) => limit > 0 && limit < OUTPUT_LIMIT_WARN_BYTES);
  const message = `replica ${inMebibytes(hardBytes)} / ${inMebibytes(softBytes)} for ${softSeconds} s`;
  if (!isTight) return { name, outcome: 'pass', message };
  return {
    name,
    outcome: 'warn',
    message: `${message}: under load the server may cut the stream`,
    advice: 'Set client-output-buffer-limit to "replica 256mb 64mb 60", the default, or more.',
  };
}

function inMebibytes(bytes: number): string {
  return bytes === 0 ? 'unlimited' : `${Math.round((bytes / 2 ** 20) * 10) / 10} MiB`;
}
