import type { Config, LocalConfig } from '../config/config.js';
import type { Redis } from '../redis/connect.js';
import type { KeyNames } from '../redis/keys.js';
import type { ServerFacts } from '../redis/server-facts.js';
import type { Finding, Verdict } from './finding.js';

/** The registration that a site's process writes into `in:site`. Null where none has ever run. */
export interface Registration {
  pair: string;
  site: string;
  /** The name the Redis got when a process first worked there: a copy of its data has it too. */
  born?: string;
}

/** Whether two URLs lead to two servers. */
export function judgeServers(local: ServerFacts, peer: ServerFacts): Verdict {
  const same = local.runId !== null && local.runId === peer.runId;
  if (!same) return { name: 'two servers', outcome: 'pass', message: `${local.where} and ${peer.where}` };
  return {
    name: 'two servers',
    outcome: 'fail',
    code: 'SAME_SITE',
    message: `${local.where} and ${peer.where} are one and the same server`,
    advice: 'Give localUrl and peerUrl of two different servers.',
  };
}

/** Whether the server that serves the stream has the history of the primary. */
export function judgeHistory(stream: ServerFacts, local: ServerFacts): Verdict {
  if (stream.replid === local.replid)
    return { name: 'history', outcome: 'pass', message: `that of ${local.where}` };
  return {
    name: 'history',
    outcome: 'fail',
    code: 'CONFIG_INVALID',
    message: `${stream.where} is not a replica of ${local.where}, or not in step with it`,
    advice: 'Give streamUrl of a replica of the primary in localUrl, or leave it out.',
  };
}

/** Timestamps settle conflicts: the site whose clock is ahead wins more than its share. */
export function judgeClocks(local: ServerFacts, peer: ServerFacts, warnMs: number): Verdict {
  const skewMs = Math.round(peer.clockOffsetMs - local.clockOffsetMs);
  const message = `the peer's clock is ${Math.abs(skewMs)} ms ${skewMs < 0 ? 'behind' : 'ahead'}`;
  if (Math.abs(skewMs) <= warnMs) return { name: 'clocks', outcome: 'pass', message };
  return {
    name: 'clocks',
    outcome: 'warn',
    message: `${message}: of two concurrent writes, that of the site ahead stays`,
    advice: 'Synchronize the clocks of both servers (NTP).',
  };
}

/** Whether the local Redis is the one this site has worked at before. */
export function judgeOwnRegistration(
  found: Registration | null,
  config: LocalConfig,
  keys: KeyNames,
): Verdict {
  if (found === null)
    return {
      name: 'site',
      outcome: 'pass',
      message: `no site has worked here yet; it will be ${config.site}`,
    };
  if (found.site === config.site) return { name: 'site', outcome: 'pass', message: `it is ${config.site}` };
  return {
    name: 'site',
    outcome: 'fail',
    code: found.site === config.peer ? 'SAME_SITE' : 'WRONG_PAIR',
    message: `this Redis is that of site ${found.site}, not of ${config.site}`,
    advice:
      found.site === config.peer
        ? `If it was brought up from a copy of ${config.peer}'s, run tandem adopt here, while the process of ${config.peer} runs. Else check site, peer and the URLs.`
        : `Check site, peer and the URLs. If this is no copy of another site's Redis, and the site was renamed on purpose: stop both processes, then at both DEL ${keys.site} and HDEL ${keys.state} pair site.`,
  };
}

/** Whether the other end is the configured peer. `strangers` are other pairs that have worked there, `born` the own Redis' name. */
export function judgePeerRegistration(
  found: Registration | null,
  strangers: readonly string[],
  config: Config,
  born?: string,
): Verdict {
  const name = 'site';
  if (found?.site === config.site && found.born !== undefined && found.born === born)
    return {
      name,
      outcome: 'fail',
      code: 'PEER_NOT_READY',
      message: `the other end is a copy of the Redis of ${config.site}, not taken over yet`,
      advice: `Run tandem adopt for site ${config.peer} there, while the process of ${config.site} runs.`,
    };
  if (found?.site === config.peer)
    return { name, outcome: 'pass', message: `it is ${config.peer} of pair ${config.pair}` };
  if (found !== null) {
    return {
      name,
      outcome: 'fail',
      code: found.site === config.site ? 'SAME_SITE' : 'WRONG_PAIR',
      message: `the other end is registered as site ${found.site}; the configured peer is ${config.peer}`,
      advice: 'Check site and peer in the configurations of both processes: they must mirror each other.',
    };
  }
  if (strangers.length > 0) {
    return {
      name,
      outcome: 'fail',
      code: 'WRONG_PAIR',
      message: `the other end belongs to pair ${strangers.join(', ')}, not to ${config.pair}`,
      advice: 'Check that pair is the same in the configurations of both processes.',
    };
  }
  return {
    name,
    outcome: 'warn',
    message: `no process of pair ${config.pair} has worked at the other end yet`,
    advice: `Start Tandem for site ${config.peer}. If it runs, compare pair and keyPrefix in both configurations.`,
  };
}

/** Pairs other than ours that have keys here: each would replicate the other's changes on. */
export function judgeStrangers(strangers: readonly string[]): Verdict {
  if (strangers.length === 0) return { name: 'other pairs', outcome: 'pass', message: 'none' };
  return {
    name: 'other pairs',
    outcome: 'warn',
    message: `pair ${strangers.join(', ')} works or has worked at this Redis too`,
    advice: `If it is no longer in use, delete its keys (tandem:{…}:*). Two pairs on the same keys see one another's changes as writes.`,
  };
}

/** Who works at a server: `key` is `in:site`, or `state` at the local server, where the peer's account cannot write. */
export async function readRegistration(client: Redis, key: string): Promise<Registration | null> {
  const [pair, site, born] = await client.hmget(key, 'pair', 'site', 'born');
  if (typeof pair !== 'string' || typeof site !== 'string') return null;
  return { pair, site, ...(typeof born === 'string' ? { born } : {}) };
}

/**
 * Where the pair is new at the own Redis and others have worked there, its name may be misspelt: then no right must be granted to it.
 * @param strangers at the own Redis
 */
export function withDoubt(
  verdict: Verdict,
  { pair, keyPrefix }: Config,
  strangers: readonly string[],
): Verdict {
  if (verdict.outcome !== 'fail' || verdict.code !== 'NO_PERMISSION' || strangers.length === 0)
    return verdict;
  const doubt = `Is pair (${pair}) or keyPrefix (${keyPrefix}) misspelt? The local Redis has keys of pair ${strangers.join(', ')}. If not: `;
  return { ...verdict, advice: `${doubt}${verdict.advice ?? ''}` };
}

/** A finding out of a verdict. */
export function about(subject: Finding['subject'], verdict: Verdict): Finding {
  return { subject, ...verdict };
}
