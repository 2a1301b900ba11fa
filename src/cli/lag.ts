import type { LocalConfig } from '../config/config.js';
import { peerSilence } from '../observe/health.js';
import { readStatusKey, SILENT_MS } from '../observe/status-key.js';
import type { LinkStatus, SiteStatus } from '../observe/status.js';
import { atLocalRedis } from './clients.js';
import { duration } from './terminal.js';

/** A direction, and how far it is behind. */
interface Lag {
  readonly direction: string;
  /** Age of the oldest change that is not applied yet, in ms. */
  readonly lagMs: number;
  /** Why it may be more: only the other site knows what was made there. */
  readonly unknown?: string;
}

/**
 * Prints how far both directions are behind, as the running process has last told. Resolves with 0, or with 1 when one of them is
 * more than `maxMs` behind, or may be, or no process runs.
 */
export function lag(
  config: LocalConfig,
  { maxMs = Infinity, json }: { maxMs?: number | undefined; json: boolean },
): Promise<number> {
  return atLocalRedis(config, { purpose: 'lag', untilSignal: false }, async ({ redis, keys }) => {
    const site = await readStatusKey(redis, keys.status);
    if (site === null) {
      if (json) console.log(JSON.stringify({ running: false }));
      console.error(`no process runs for site ${config.site} of pair ${config.pair}`);
      return 1;
    }
    const { outbound, inbound } = lagsOf(site, Date.now());
    if (json) console.log(JSON.stringify({ running: true, outbound, inbound }));
    else
      for (const { direction, lagMs, unknown } of [outbound, inbound])
        console.log(`${direction}  ${unknown === undefined ? duration(lagMs) : `unknown: ${unknown}`}`);
    const late = [outbound, inbound].filter(
      ({ lagMs, unknown }) => lagMs > maxMs || (unknown !== undefined && maxMs < Infinity),
    );
    for (const { direction, lagMs, unknown } of late)
      console.error(`${direction}: ${unknown ?? `${duration(lagMs)} behind, more than ${duration(maxMs)}`}`);
    return late.length > 0 ? 1 : 0;
  });
}

/** A process that has been silent for long may have stood still since: that counts as lag. @param now in ms since 1970 */
export function lagsOf(site: SiteStatus, now: number): { outbound: Lag; inbound: Lag } {
  const ageMs = now - site.at;
  const silentMs = ageMs > SILENT_MS ? ageMs : 0;
  const of = (direction: string, { lagMs }: LinkStatus): Lag => ({ direction, lagMs: lagMs + silentMs });
  const unknown = peerSilence(site);
  return {
    outbound: of(`${site.site} → ${site.peer}`, site.outbound),
    inbound: {
      ...of(`${site.peer} → ${site.site}`, site.inbound),
      ...(unknown === undefined ? {} : { unknown }),
    },
  };
}
