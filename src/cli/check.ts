import type { Config } from '../config/config.js';
import { inspect, nameOf } from '../preflight/preflight.js';
import type { Finding } from '../preflight/finding.js';
import { quietClients } from './clients.js';
import { paint } from './terminal.js';

const MARKS = {
  pass: paint.green('pass'),
  warn: paint.yellow('warn'),
  fail: paint.red('FAIL'),
  skipped: paint.dim('skip'),
};

/** Looks at both ends and prints what it finds; writes nothing anywhere. Resolves with 1 if anything fails, else 0. */
export async function check(config: Config, { json }: { json: boolean }): Promise<number> {
  const findings = await findingsOf(config);
  console.log(
    json ? JSON.stringify({ ok: isFine(findings), findings }, null, 2) : renderFindings(findings, config),
  );
  return isFine(findings) ? 0 : 1;
}

/** One line for each finding, what to do about it below it, and a summary. */
export function renderFindings(findings: readonly Finding[], config: Pick<Config, 'site' | 'peer'>): string {
  const width = Math.max(...findings.map(({ name }) => name.length));
  const lines: string[] = [];
  let subject: Finding['subject'] | undefined;
  for (const finding of findings) {
    if (finding.subject !== subject)
      lines.push(...(subject === undefined ? [] : ['']), paint.bold(nameOf(finding.subject, config)));
    subject = finding.subject;
    lines.push(`  ${MARKS[finding.outcome]}  ${finding.name.padEnd(width)}  ${finding.message}`);
    if (finding.advice !== undefined && finding.outcome !== 'pass')
      lines.push(`${' '.repeat(width + 10)}→ ${finding.advice}`);
  }
  return [...lines, '', summaryOf(findings)].join('\n');
}

function summaryOf(findings: readonly Finding[]): string {
  const count = (outcome: Finding['outcome']): number =>
    findings.filter((finding) => finding.outcome === outcome).length;
  if (isFine(findings))
    return count('warn') === 0 ? 'Ready.' : `Ready, with ${count('warn')} to think about.`;
  return `Not ready: ${count('fail')} to put right.`;
}

function isFine(findings: readonly Finding[]): boolean {
  return findings.every(({ outcome }) => outcome !== 'fail');
}

async function findingsOf(config: Config): Promise<Finding[]> {
  const { log, open } = quietClients(config, 'check');
  const local = open(config.localUrl);
  const peer = open(config.peerUrl);
  try {
    return await inspect({ config, local, peer, log, thorough: true });
  } finally {
    local.disconnect();
    peer.disconnect();
  }
}
