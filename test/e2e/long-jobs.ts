import { JobClient, type JobView } from '../../src/jobs/job-client.js';
import { createLogger } from '../../src/log/log.js';
import type { ComparisonResult } from '../../src/sync/comparison-counts.js';
import type { Pair, Site } from '../support/pair.js';
import { ownKeys } from './observe.js';
import { runCli } from './run-cli.js';

/** What a site's Redis says of a job. */
export async function jobOf(site: Site, id: string): Promise<JobView | undefined> {
  const log = createLogger({
    pair: 'test',
    site: site.name,
    logLevel: 'silent',
    logPretty: 'never',
    logData: false,
  });
  const client = new JobClient({ client: site.redis, keys: ownKeys(), log });
  try {
    return await client.get(id);
  } finally {
    await client.close();
  }
}

export interface Verified {
  readonly code: number;
  readonly result: ComparisonResult & {
    differences: { db: number; key: string; kind: string; stays?: string }[];
  };
  readonly stderr: string;
}

/** Settings of a command at a site of a pair. */
export function settingsOf({ name, east, west }: Pair, site: Site): Record<string, string> {
  const peer = site === east ? west : east;
  return {
    TANDEM_PAIR: name,
    TANDEM_SITE: site.name,
    TANDEM_PEER: peer.name,
    TANDEM_LOCAL_URL: site.server.url,
    TANDEM_PEER_URL: peer.server.url,
  };
}

const VERIFY_MS = 150_000;

/** Runs `tandem verify --json` at a site. */
export async function verifyAt(pair: Pair, site: Site, ...args: string[]): Promise<Verified> {
  const all = ['verify', '--json', ...args];
  const { code, stdout, stderr } = await runCli(all, settingsOf(pair, site), VERIFY_MS);
  if (stdout === '') throw new Error(`nothing was compared: ${stderr}\n${site.tail()}`);
  return { code, stderr, result: JSON.parse(stdout) as Verified['result'] };
}
