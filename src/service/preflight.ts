import type { Config } from '../config.js';
import { ERROR_CODES, TandemError, errorLine } from '../errors.js';
import type { Logger } from '../log.js';
import { connectClient, openClient, refusalOf, whereOf } from '../redis/connect.js';
import type { Redis } from '../redis/connect.js';
import { keyNames } from '../redis/keys.js';
import { readFacts } from './preflight/facts.js';
import type { ServerFacts } from './preflight/facts.js';
import type { Finding, Subject } from './preflight/finding.js';
import * as pair from './preflight/pair.js';
import { judgeLocalRights, judgePeerRights, judgeStreamRights } from './preflight/rights.js';
import { judgeServer } from './preflight/server.js';

export interface PreflightOptions {
  config: Config;
  /** Clients that are connected, or can be; probes use connections of their own. */
  local: Redis;
  peer: Redis;
  log: Logger;
  /** Nobody waits for the outcome any more. */
  signal?: AbortSignal;
}

interface InspectOptions extends PreflightOptions {
  /** Whether to search all keys for those of other pairs. */
  thorough: boolean;
}

interface End {
  findings: Finding[];
  facts: ServerFacts | null;
}

/**
 * The part of the check that decides whether a site may start. Throws the first failure as a TandemError: one that
 * needs a person before one that passes by itself. A peer that cannot be reached now is no failure; it is logged as a
 * warning, like everything else that is not as it should be.
 */
export async function preflight(options: PreflightOptions): Promise<void> {
  const { config, log, signal } = options;
  const findings = await inspect({ ...options, thorough: false });
  if (signal?.aborted === true) return;
  for (const { subject, name, outcome, message, advice } of findings) {
    if (outcome === 'warn')
      log.warn({ subject, check: name, found: message, advice }, 'the preflight check warns');
  }
  const failures = findings.filter(({ outcome }) => outcome === 'fail');
  const fatal =
    failures.find((finding) => !passes(finding)) ?? failures.find(({ subject }) => subject !== 'peer');
  if (fatal !== undefined) throw failureError(fatal, failures.length - 1, config);
  for (const { message } of failures)
    log.warn({ found: message }, 'the peer is not there yet, it is tried again');
}

function failureError(
  { code, subject, name, message, advice }: Finding,
  others: number,
  config: Config,
): TandemError {
  const more = others === 0 ? '' : ` (and ${others} more: see tandem check)`;
  return new TandemError(code ?? 'INTERNAL', `${nameOf(subject, config)}: ${message}${more}`, {
    ...(advice === undefined ? {} : { hint: advice }),
    details: { subject, check: name },
  });
}

/** Looks at both ends and at the pair. A refusal of a server is a finding; only a mistake of the program throws. */
export async function inspect(options: InspectOptions): Promise<Finding[]> {
  const { config, local, peer, signal } = options;
  const localEnd = await lookAt('local', local, () => localFindings(options), signal);
  const peerEnd = await lookAt('peer', peer, () => peerFindings(options), signal);
  const findings = [...localEnd.findings, ...peerEnd.findings];
  if (config.streamUrl !== null) findings.push(...(await streamFindings(options, localEnd.facts)));
  if (localEnd.facts !== null && peerEnd.facts !== null) {
    findings.push(pair.about('pair', pair.judgeServers(localEnd.facts, peerEnd.facts)));
    findings.push(
      pair.about('pair', pair.judgeClocks(localEnd.facts, peerEnd.facts, config.clockSkewWarnMs)),
    );
  }
  return findings;
}

/** How a person calls what a finding is about. */
export function nameOf(subject: Subject, { site, peer }: Pick<Config, 'site' | 'peer'>): string {
  return { local: `local (${site})`, peer: `peer (${peer})`, stream: `stream (${site})`, pair: 'pair' }[
    subject
  ];
}

/** Connects, reads the facts, judges the server, and only if that went well asks for more. */
async function lookAt(
  subject: 'local' | 'peer' | 'stream',
  client: Redis,
  more: () => Promise<Finding[]>,
  signal?: AbortSignal,
): Promise<End> {
  const findings: Finding[] = [];
  let facts: ServerFacts | null = null;
  try {
    await connectClient(client, signal);
    findings.push({ subject, name: 'connection', outcome: 'pass', message: whereOf(client) });
    facts = await readFacts(client, { settings: subject !== 'peer' });
    findings.push(...judgeServer(facts, subject).map((verdict) => pair.about(subject, verdict)));
    if (findings.every(({ outcome }) => outcome !== 'fail')) findings.push(...(await more()));
  } catch (error) {
    findings.push(failureOf(subject, error, client));
  }
  return { findings, facts };
}

async function localFindings({ config, local, thorough }: InspectOptions): Promise<Finding[]> {
  const keys = keyNames({ prefix: config.keyPrefix, pair: config.pair });
  const verdicts = await judgeLocalRights(local, { keys, excluded: config.filters.commandsExclude });
  if (config.streamUrl === null) verdicts.push(...(await judgeStreamRights(local)));
  verdicts.push(pair.judgeOwnRegistration(await pair.readRegistration(local, keys.state), config, keys));
  const strangers = thorough ? await pair.findStrangers(local, config) : null;
  if (strangers !== null) verdicts.push(pair.judgeStrangers(strangers));
  return verdicts.map((verdict) => pair.about('local', verdict));
}

async function peerFindings({ config, peer, thorough }: InspectOptions): Promise<Finding[]> {
  const keys = keyNames({ prefix: config.keyPrefix, pair: config.pair });
  const verdicts = await judgePeerRights(peer, keys);
  if (verdicts.every(({ outcome }) => outcome !== 'fail')) {
    const registration = await pair.readRegistration(peer, keys.site);
    const strangers = registration === null && thorough ? await pair.findStrangers(peer, config) : null;
    verdicts.push(pair.judgePeerRegistration(registration, strangers ?? [], config));
  }
  return verdicts.map((verdict) => pair.about('peer', verdict));
}

async function streamFindings(
  { config, log, signal }: InspectOptions,
  primary: ServerFacts | null,
): Promise<Finding[]> {
  const { streamUrl, tls, connectTimeoutMs, commandTimeoutMs } = config;
  const client = openClient({
    url: streamUrl ?? '',
    tls,
    name: `tandem:${config.site}:check`,
    log,
    connectTimeoutMs,
    commandTimeoutMs,
  });
  const judge = async (): Promise<Finding[]> =>
    (await judgeStreamRights(client)).map((verdict) => pair.about('stream', verdict));
  const { findings, facts } = await lookAt('stream', client, judge, signal);
  client.disconnect();
  if (facts !== null && primary !== null)
    findings.push(pair.about('stream', pair.judgeHistory(facts, primary)));
  return findings;
}

function failureOf(subject: Subject, error: unknown, client: Redis): Finding {
  const refused = refusalOf(error, whereOf(client));
  const advice = refused.hint === undefined ? {} : { advice: refused.hint };
  return {
    subject,
    name: 'connection',
    outcome: 'fail',
    code: refused.code,
    message: errorLine(refused),
    ...advice,
  };
}

function passes({ code }: Finding): boolean {
  return code !== undefined && ERROR_CODES[code].passes;
}
