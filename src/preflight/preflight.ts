import type { Config } from '../config/config.js';
import { ERROR_CODES, TandemError, errorLine } from '../errors.js';
import { LinkedAbort } from '../async/linked-abort.js';
import type { Logger } from '../log/log.js';
import type { Trouble } from '../log/trouble.js';
import { connectClient, openClient, refusalOf, whereOf } from '../redis/connect.js';
import type { Redis } from '../redis/connect.js';
import { keyNames, type KeyNames } from '../redis/keys.js';
import { orTlsMismatch, untilTlsMismatch } from '../redis/tls-mismatch.js';
import { judgeKeptAccounts, judgePeerAccount } from './accounts.js';
import { judgeAppendOnlyFile } from './append-only-file.js';
import { findStrangers } from '../redis/other-pairs.js';
import { readFacts } from '../redis/server-facts.js';
import type { ServerFacts } from '../redis/server-facts.js';
import type { Finding, Subject } from './finding.js';
import { judgeMemory } from './memory.js';
import * as pair from './pair.js';
import { judgeLocalRights, judgePeerRights, judgeStreamRights, peerAclRule } from './rights.js';
import { judgeServer } from './server.js';
import { judgeCommands, judgeFilters, judgePreference, readPublished } from './two-sites.js';

export interface PreflightOptions {
  config: Config;
  /** Clients that are connected, or can be; probes use connections of their own. */
  local: Redis;
  peer: Redis;
  log: Logger;
  /** Aborts when the outcome is no longer waited for. */
  signal?: AbortSignal;
  /** What was warned of at the attempts before: a site that cannot begin tries again and again. */
  warned?: Trouble;
}

/** A signal nobody gives. */
const NEVER = new AbortController().signal;

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
  const { config, log, signal, warned } = options;
  const findings = await inspect({ ...options, thorough: false });
  const isNews = (reason: string): boolean => warned === undefined || warned.met(reason) !== undefined;
  if (signal?.aborted === true) return;
  for (const { subject, name, outcome, message, advice } of findings) {
    if (outcome === 'warn' && isNews(`${subject} ${name}`))
      log.warn({ subject, check: name, found: message, advice }, 'the preflight check warns');
  }
  const failures = findings.filter(({ outcome }) => outcome === 'fail');
  const fatal =
    failures.find((finding) => !passes(finding)) ?? failures.find(({ subject }) => subject !== 'peer');
  if (fatal !== undefined) throw failureError(fatal, failures.length - 1, config);
  for (const { message } of failures)
    if (isNews(message)) log.warn({ found: message }, 'the peer is not there yet, it is tried again');
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
  const localEnd = await lookAt('local', { client: local, url: config.localUrl, signal }, async (facts) =>
    localFindings(options, facts),
  );
  const peerEnd = await lookAt('peer', { client: peer, url: config.peerUrl, signal }, async () =>
    peerFindings(options),
  );
  const findings = [...localEnd.findings, ...peerEnd.findings];
  const areSound = findings.every(({ outcome }) => outcome !== 'fail');
  if (config.streamUrl !== null) findings.push(...(await streamFindings(options, localEnd.facts)));
  if (localEnd.facts !== null && peerEnd.facts !== null) {
    findings.push(pair.about('pair', pair.judgeServers(localEnd.facts, peerEnd.facts)));
    findings.push(
      pair.about('pair', pair.judgeClocks(localEnd.facts, peerEnd.facts, config.clockSkewWarnMs)),
    );
    // An account that may not read it is told so above.
    if (areSound) findings.push(...(await sitesFindings(options, localEnd.facts, peerEnd.facts)));
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
  { client, url, signal }: { client: Redis; url: string; signal: AbortSignal | undefined },
  more: (facts: ServerFacts) => Promise<Finding[]>,
): Promise<End> {
  const findings: Finding[] = [];
  let facts: ServerFacts | null = null;
  const connected = new LinkedAbort(signal ?? NEVER);
  try {
    await Promise.race([connectClient(client, signal), untilTlsMismatch(url, connected.signal)]);
    findings.push({ subject, name: 'connection', outcome: 'pass', message: whereOf(client) });
    facts = await readFacts(client, { settings: subject !== 'peer' });
    findings.push(...judgeServer(facts, subject).map((verdict) => pair.about(subject, verdict)));
    if (findings.every(({ outcome }) => outcome !== 'fail')) findings.push(...(await more(facts)));
  } catch (error) {
    findings.push(failureOf(subject, await orTlsMismatch(refusalOf(error, whereOf(client)), url)));
  } finally {
    connected.abort();
  }
  return { findings, facts };
}

async function localFindings(
  { config, local, thorough }: InspectOptions,
  facts: ServerFacts,
): Promise<Finding[]> {
  const keys = keyNames({ prefix: config.keyPrefix, pair: config.pair });
  const verdicts = await judgeLocalRights(local, {
    keys,
    excluded: config.filters.commandsExclude,
    flushes: config.flush === 'replicate',
    redisVersion: facts.redisVersion,
  });
  if (config.streamUrl === null) verdicts.push(...(await judgeStreamRights(local)));
  verdicts.push(await judgeAppendOnlyFile(local, facts));
  verdicts.push(judgeMemory(facts, config, await waitingBytes(local, keys)));
  verdicts.push(pair.judgeOwnRegistration(await pair.readRegistration(local, keys.state), config, keys));
  if (thorough) verdicts.push(...(await judgeKeptAccounts(local, facts)));
  const strangers = thorough ? await findStrangers(local, config) : null;
  if (strangers !== null) verdicts.push(pair.judgeStrangers(strangers));
  return verdicts.map((verdict) => pair.about('local', verdict));
}

/** Bytes in the change list and the inbox, as they are noted. */
async function waitingBytes(local: Redis, { state, received }: KeyNames): Promise<number> {
  const noted = await Promise.all([state, received].map((key) => local.hget(key, 'bytes')));
  return noted.reduce((sum, bytes) => sum + (Number(bytes) || 0), 0);
}

async function peerFindings({ config, local, peer, thorough }: InspectOptions): Promise<Finding[]> {
  const keys = keyNames({ prefix: config.keyPrefix, pair: config.pair });
  let verdicts = await judgePeerRights(peer, keys);
  if (verdicts.some(({ outcome }) => outcome === 'fail')) {
    const isNew = local.status === 'ready' && (await pair.readRegistration(local, keys.state)) === null;
    const strangers = isNew ? await findStrangers(local, config) : null;
    verdicts = verdicts.map((verdict) => pair.withDoubt(verdict, config, strangers ?? []));
  } else {
    if (thorough) verdicts.push(...(await judgePeerAccount(peer, peerAclRule(keys))));
    const registration = await pair.readRegistration(peer, keys.site);
    const strangers = registration === null && thorough ? await findStrangers(peer, config) : null;
    const isOwn = registration?.site === config.site && local.status === 'ready';
    const born = isOwn ? (await pair.readRegistration(local, keys.site))?.born : undefined;
    verdicts.push(pair.judgePeerRegistration(registration, strangers ?? [], config, born));
  }
  return verdicts.map((verdict) => pair.about('peer', verdict));
}

/** What the sites have told of themselves. */
async function sitesFindings(
  { config, local, peer }: InspectOptions,
  localFacts: ServerFacts,
  peerFacts: ServerFacts,
): Promise<Finding[]> {
  const { site } = keyNames({ prefix: config.keyPrefix, pair: config.pair });
  const own = { published: await readPublished(local, site), facts: localFacts };
  const theirs = { published: await readPublished(peer, site), facts: peerFacts };
  const verdicts = [
    judgeFilters(config, theirs.published),
    judgePreference(config, theirs.published),
    judgeCommands(own, theirs, config),
  ];
  return verdicts.flatMap((verdict) => (verdict ? [pair.about('pair', verdict)] : []));
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
  const { findings, facts } = await lookAt('stream', { client, url: streamUrl ?? '', signal }, judge);
  client.disconnect();
  if (facts !== null && primary !== null)
    findings.push(pair.about('stream', pair.judgeHistory(facts, primary)));
  return findings;
}

function failureOf(subject: Subject, refused: TandemError): Finding {
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
