import type { Config } from '../../src/config/config.js';
import { openClient } from '../../src/redis/connect.js';
import { inspect, type preflight } from '../../src/preflight/preflight.js';
import type { Finding } from '../../src/preflight/finding.js';
import type { TestServer } from '../support/server.js';
import { until } from '../support/wait.js';
import { SILENT } from '../support/tandem-clients.js';

/** Runs something with the two clients that a command or a site would open. */
export async function withClients<T>(
  config: Config,
  use: (options: Parameters<typeof preflight>[0]) => Promise<T>,
): Promise<T> {
  const { tls, connectTimeoutMs, commandTimeoutMs, localUrl, peerUrl } = config;
  const options = { tls, connectTimeoutMs, commandTimeoutMs, log: SILENT, name: 'tandem:east:check' };
  const [local, peer] = [openClient({ ...options, url: localUrl }), openClient({ ...options, url: peerUrl })];
  try {
    return await use({ config, local, peer, log: SILENT });
  } finally {
    local.disconnect();
    peer.disconnect();
  }
}

export function findingsOf(config: Config): Promise<Finding[]> {
  return withClients(config, (options) => inspect({ ...options, thorough: true }));
}

/** Warnings of each pair that never ran, of servers without accounts, and of accounts at a server that nothing is kept of. */
const ORDINARY = ['peer site warn', 'peer account warn', 'local accounts warn'];

export function isOrdinary({ subject, name, outcome }: Finding): boolean {
  return ORDINARY.includes(`${subject} ${name} ${outcome}`);
}

/** What is not as it should be, `subject name outcome code`; ordinary warnings are left out. */
export async function troubles(config: Config): Promise<string[]> {
  const findings = await findingsOf(config);
  return findings
    .filter((finding) => finding.outcome !== 'pass' && !isOrdinary(finding))
    .map(({ subject, name, outcome, code = '' }) => `${subject} ${name} ${outcome} ${code}`.trim());
}

/** An account at a server, removed by name at the end of the test that made it. */
export async function withUser<T>(
  server: TestServer,
  rule: string,
  use: (url: string) => Promise<T>,
): Promise<T> {
  const admin = server.client();
  await admin.call('ACL', 'SETUSER', 'tandem', 'on', '>sesame', ...rule.split(' '));
  try {
    return await use(server.urlFor('tandem', 'sesame'));
  } finally {
    await admin.call('ACL', 'DELUSER', 'tandem');
    admin.disconnect();
  }
}

/** Waits until a replica has its primary's data. */
export async function inStep(replica: TestServer): Promise<void> {
  const redis = replica.client();
  await until('the replica to be in step', async () =>
    (await redis.info('replication')).includes('master_link_status:up'),
  );
}
