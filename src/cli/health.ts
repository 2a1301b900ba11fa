/** `tandem health`: what a container engine or a script asks before it calls a process well. */

import type { LocalConfig } from '../config/config.js';
import { errorLine } from '../errors.js';
import { readHolder, type Holder } from '../lease/holder.js';
import { readinessProblems } from '../observe/health.js';
import { readHeartbeat, SILENT_MS } from '../observe/status-key.js';
import type { SiteStatus } from '../observe/status.js';
import { atLocalRedis } from './clients.js';
import { duration } from './terminal.js';

/** Whoever asks gives up after some seconds, and then gets no reason. */
const LIMIT_MS = 2000;

export interface Health {
  readonly healthy: boolean;
  /** One sentence. */
  readonly reason: string;
  /** Why changes do not pass, as `/readyz` has it: no reason to call the process unwell, or to start it anew. */
  readonly notReady: readonly string[];
}

/**
 * Says in one line whether a process works for this site, and with `httpPort` whether the one at this machine answers. Resolves with 0,
 * or with 1 whatever is wrong: those who ask know no other code.
 * @param settings read here, so that what is wrong with them is such a reason as well
 */
export async function health(
  settings: () => Promise<LocalConfig>,
  { json }: { json: boolean },
): Promise<number> {
  const found = await settings()
    .then(look)
    .catch((error: unknown) => unwell(inOneLine(errorLine(error))));
  const { healthy, reason, notReady } = found;
  if (json) console.log(JSON.stringify(found));
  else if (!healthy) console.error(reason);
  else console.log([reason, ...notReady.map((problem) => `not ready: ${problem}`)].join('; '));
  return healthy ? 0 : 1;
}

async function look(config: LocalConfig): Promise<Health> {
  // First, because a process that is gone here is what can be mended here.
  const silence = config.httpPort === 0 ? undefined : await whyNoAnswer(config);
  if (silence !== undefined) return unwell(silence);
  let found: Health | undefined;
  await atLocalRedis(
    config,
    { purpose: 'health', untilSignal: false, limitMs: LIMIT_MS },
    async ({ redis, keys }) => {
      const holder = await readHolder(redis, keys.lease);
      found = healthOf(config, holder, await readHeartbeat(redis, keys.status));
      return 0;
    },
  );
  return found!;
}

/** What the lease and the status in Redis come to. @param heartbeat null: there is none */
export function healthOf(
  { pair, site }: Pick<LocalConfig, 'pair' | 'site'>,
  holder: Holder,
  heartbeat: { readonly status: SiteStatus; readonly ageMs: number } | null,
): Health {
  if (holder === 'gone')
    return unwell(`the process of site ${site} is gone, and no other one has taken over`);
  if (heartbeat === null)
    return unwell(
      holder === 'nobody'
        ? `no process works for site ${site} of pair ${pair}`
        : `a process holds the lease of site ${site} and does not tell how it is`,
    );
  const { status, ageMs } = heartbeat;
  if (ageMs > SILENT_MS)
    return unwell(
      `the process of site ${site} has been silent for ${duration(ageMs)}: it hangs, or is cut off`,
    );
  // Its own server, or what it holds, keeps it from the work; with the peer it has nothing to do.
  const trouble = status.capture.state === 'backing-off' ? (status.outbound.detail ?? 'an error') : undefined;
  if (trouble !== undefined) return unwell(`the process of site ${site} cannot work: ${trouble}`);
  if (holder === 'nobody')
    return unwell(`the process of site ${site} no longer holds the lease, heard of ${duration(ageMs)} ago`);
  return {
    healthy: true,
    reason: `a process works for site ${site}, up ${duration(status.uptimeMs)}, heard of ${duration(ageMs)} ago`,
    notReady: readinessProblems(status),
  };
}

/** A list with a line for each mistake becomes a sentence. */
function inOneLine(text: string): string {
  return text.replace(/\n\s*- /, ' ').replaceAll(/\n\s*(?:- )?/g, '; ');
}

function unwell(reason: string): Health {
  return { healthy: false, reason, notReady: [] };
}

/** Why the process at this machine does not answer `/livez`; undefined when it does. */
async function whyNoAnswer({ httpHost, httpPort }: LocalConfig): Promise<string | undefined> {
  const host = { '0.0.0.0': '127.0.0.1', '::': '::1' }[httpHost] ?? httpHost;
  const { get } = await import('node:http');
  const answer = await new Promise<string>((resolve) => {
    const request = get(
      { host, port: httpPort, path: '/livez', agent: false, timeout: LIMIT_MS },
      (response) => {
        response.resume();
        resolve(response.statusCode === 200 ? '' : `answers ${response.statusCode}`);
      },
    );
    request.on('timeout', () => request.destroy(new Error(`silent for ${LIMIT_MS} ms`)));
    request.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
  });
  const where = `http://${host.includes(':') ? `[${host}]` : host}:${httpPort}/livez`;
  return answer === '' ? undefined : `no process of Tandem answers at ${where}: ${answer}`;
}
